// The syntax of CSV and TSV: RFC 4180 with a header. Not here: finding records (RecordScanner), the meaning of fields (RowMapper).
//
// Own code, because rows are read again by their place in the file and messages name lines: libraries that give all records of a text
// in memory know neither.

import Failures

/// Comma-separated values: the first record names the fields.
public struct CSVSyntax: RecordSyntax {
    public static let words = "comma-separated values with a header"
    public static let delimiter: UInt8? = UInt8(ascii: ",")
}

/// Tab-separated values: the first record names the fields. Quotation marks enclose fields as in CSV.
public struct TSVSyntax: RecordSyntax {
    public static let words = "tab-separated values with a header"
    public static let delimiter: UInt8? = UInt8(ascii: "\t")
}

/// Pairs from CSV and TSV files.
public typealias CSVDataset = RecordDataset<CSVSyntax>
public typealias TSVDataset = RecordDataset<TSVSyntax>

extension CSVSyntax: SeparatedSyntax {}
extension TSVSyntax: SeparatedSyntax {}

protocol SeparatedSyntax: ReadableSyntax where Fields == TextFields {}

extension SeparatedSyntax {
    static func header(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, place: String
    ) throws(Failure) -> [String]? {
        let names = try SeparatedRecord.fields(bytes, range, delimiter: delimiter ?? 0, place: place)
        for (index, name) in names.enumerated() where names[..<index].contains(name) {
            throw Failure(.data, "\(place): the header names the field '\(name)' twice")
        }
        return names
    }

    static func fields(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, header: [String], place: String
    ) throws(Failure) -> TextFields {
        let values = try SeparatedRecord.fields(bytes, range, delimiter: delimiter ?? 0, place: place)
        guard values.count == header.count else {
            throw Failure(.data, "\(place): \(values.count) fields, but the header names \(header.count)")
        }
        return TextFields(names: header, values: values)
    }
}

/// One record of separated values.
enum SeparatedRecord {
    static let maximumFields = 4096

    /// The fields of the record `range`.
    ///
    ///     record = field *(delimiter field);  field = '"' *(any byte but '"', or '""') '"'  |  *(any byte but delimiter)
    ///
    /// Source: RFC 4180, section 2; a quotation mark inside an unquoted field stands for itself.
    static func fields(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, delimiter: UInt8, place: String
    ) throws(Failure) -> [String] {
        let quote = UInt8(ascii: "\"")
        var fields: [String] = []
        var index = range.lowerBound
        while true {
            guard fields.count < maximumFields else {
                throw Failure(.data, "\(place): more than \(maximumFields) fields")
            }
            let number = fields.count + 1
            var content: [UInt8] = []
            if index < range.upperBound, bytes[index] == quote {
                index += 1
                while true {
                    guard index < range.upperBound else {
                        throw Failure(.data, "\(place): the quotation mark that opens field \(number) is never closed")
                    }
                    if bytes[index] == quote {
                        index += 1
                        guard index < range.upperBound, bytes[index] == quote else { break }
                    }
                    content.append(bytes[index])
                    index += 1
                }
                guard index == range.upperBound || bytes[index] == delimiter else {
                    throw Failure(.data, "\(place): something follows the quotation mark that closes field \(number)")
                }
            } else {
                let start = index
                while index < range.upperBound, bytes[index] != delimiter { index += 1 }
                content = Array(bytes[start..<index])
            }
            guard let text = String(validating: content, as: UTF8.self) else {
                throw Failure(.data, "\(place): field \(number) is not UTF-8")
            }
            fields.append(text)
            guard index < range.upperBound else { return fields }
            index += 1
        }
    }
}
