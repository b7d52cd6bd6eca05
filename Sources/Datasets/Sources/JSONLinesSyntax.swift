// The syntax of JSONL: one JSON object a line. Not here: JSON itself (JSONLine), the meaning of fields (RowMapper).

import Failures

/// JSON Lines, UTF-8; fields that no column names are ignored, but must be JSON.
///
/// ```
/// {"id": "1F600", "image": "images/noto/1F600.png", "text": "grinning face", "texts": ["face", "grin"]}
/// {"query": "who wrote it", "pos": ["she did"], "neg": ["a book", "a pen"]}
/// ```
///
/// - `id`: the concept, a string or an integer; without it a row is a concept of its own.
/// - The field that a picture column names: a path inside the file's folder. `image`, `image_path`, `file` and `file_name` stand for
///   one another when the named one is missing.
/// - The field that a text column names: the caption, or a list of them, the first of which is the main one. `text` and `caption`
///   stand for one another. The field named like it with an s (`texts`, `captions`), where it is a list of texts, has others.
/// - Negatives: a text, a list of texts or of passages.
public struct JSONLinesSyntax: RecordSyntax {
    public static let words = "one JSON object a line"
    public static let delimiter: UInt8? = nil
}

extension JSONLinesSyntax: ReadableSyntax {
    static func header(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, place: String
    ) throws(Failure) -> [String]? { nil }

    static func fields(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, header: [String], place: String
    ) throws(Failure) -> JSONFields {
        do throws(JSONLineError) { return try JSONFields(bytes, range) } catch {
            throw Failure(.data, "\(place):\(error.column): \(error.reason)")
        }
    }
}

/// Pairs from JSONL files.
public typealias JSONLDataset = RecordDataset<JSONLinesSyntax>

extension RecordDataset where Syntax == JSONLinesSyntax {
    /// Opens and checks one file.
    public init(
        path: String, query: Column = Column("image", .picture), target: Column = Column("text", .text),
        onError: RowErrorPolicy = .fail
    ) throws {
        try self.init(
            files: [DataFile(path)], columns: SourceColumns(query: query, target: target), onError: onError)
    }
}
