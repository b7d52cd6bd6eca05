// Pairs from a folder of pictures. Not here: decoding them (Pictures), metadata files' syntax (RecordDataset).

import Failures
import Foundation

/// The pictures below a folder, in the order of their paths' bytes, with captions beside them.
///
/// - `metadata.jsonl` or `metadata.csv` in the folder (Hugging Face's imagefolder): its rows, with paths in `file_name`;
/// - else, where any picture has a text file of its name beside it: `x.jpg` with `x.txt`;
/// - else the name of the folder that a picture lies in is its caption and its concept.
///
/// The fields of a row are `image` and `text`.
enum PictureFolder {
    /// Pictures below one folder at most.
    static let maximumPictures = 20_000_000

    static func open(_ path: String, columns: SourceColumns, onError: RowErrorPolicy) throws -> any PairSource {
        let folder = path.hasSuffix("/") ? String(path.dropLast()) : path
        let metadata = ["jsonl", "csv"].map { "\(folder)/metadata.\($0)" }.filter {
            FileManager.default.fileExists(atPath: $0)
        }
        switch metadata.count {
        case 0: return try FolderDataset(folder, columns: columns, onError: onError)
        case 1: return try SourceDescription(paths: metadata, columns: columns).open(onError: onError)
        default: throw Failure(.data, "\(folder) has metadata.jsonl and metadata.csv; keep one of them")
        }
    }

    /// Paths of all that is below a folder, without its own. Links are not followed, but for the folder itself.
    /// - Throws: `Failure(.inputMissing)` naming a folder that cannot be listed: what is in it would be missing without a word.
    static func entries(below folder: String) throws -> [String] {
        // A link to a folder is that folder when a slash follows it.
        do { return try FileManager.default.subpathsOfDirectory(atPath: folder + "/") } catch {
            let place = (error as? CocoaError)?.filePath ?? folder
            throw Failure(
                .inputMissing, "the folder \(place) cannot be read; check that it is there, and its permissions")
        }
    }
}

/// Pictures with a text file each, or in folders that say what they show.
public struct FolderDataset: PairSource {
    public let name: String
    public let onError: RowErrorPolicy
    public let fingerprint: UInt64
    public var ids: [Int64] { index.ids }
    public var skipped: Int { index.skipped }
    public var skippedReasons: [String] { index.reasons }
    public var query: Column { mapper.columns.sides.query }
    public var target: Column { mapper.columns.sides.target }

    private let mapper: RowMapper
    private let index: RowIndex
    /// Paths inside the folder.
    private let pictures: [String]
    private let hasTextFiles: Bool

    init(_ folder: String, columns: SourceColumns, onError: RowErrorPolicy) throws {
        name = folder
        self.onError = onError
        mapper = RowMapper(columns: columns)
        var pictures: [String] = []
        var texts: Set<String> = []
        for entry in try PictureFolder.entries(below: folder) {
            let (stem, ending) = Self.split(entry)
            if ending == "txt" { texts.insert(stem) }
            if ColumnNames.pictureExtensions.contains(ending) { pictures.append(entry) }
            guard pictures.count <= PictureFolder.maximumPictures else {
                throw Failure(
                    .data, "\(folder) has more than \(PictureFolder.maximumPictures) pictures; pack them into shards")
            }
        }
        pictures.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        hasTextFiles = pictures.contains { texts.contains(Self.split($0).stem) }
        self.pictures = pictures
        var index = RowIndex(name: folder, onError: onError)
        index.beginFile()
        var fingerprint = Fingerprint()
        for (number, picture) in pictures.enumerated() {
            let place = "\(folder)/\(picture)"
            let (fields, mapper) = (FolderFields(folder, picture, hasTextFiles: hasTextFiles), mapper)
            fingerprint.add(picture)
            try index.add(offset: number, length: 1, line: 0, place: place) { () throws(Failure) in
                let row = try mapper.map(fields, place: place, folder: folder, alternatives: true)
                for text in row.query.texts + row.target.texts { fingerprint.add(text) }
                return row
            }
        }
        try index.finish()
        self.index = index
        self.fingerprint = fingerprint.value
    }

    fileprivate static func split(_ path: String) -> (stem: String, ending: String) {
        guard let dot = path.lastIndex(of: "."), !path[dot...].contains("/") else { return (path, "") }
        return (String(path[..<dot]), path[path.index(after: dot)...].lowercased())
    }

    public func row(_ row: Int) throws -> PairRow {
        precondition(ids.indices.contains(row), "row \(row) of \(ids.count)")
        let picture = pictures[index.place(row).range.lowerBound]
        return try mapper.map(
            FolderFields(name, picture, hasTextFiles: hasTextFiles), place: "\(name)/\(picture)", folder: name,
            alternatives: true)
    }
}

/// A picture and its caption.
private struct FolderFields: RowFields {
    let folder: String
    let picture: String
    let hasTextFiles: Bool

    init(_ folder: String, _ picture: String, hasTextFiles: Bool) {
        self.folder = folder
        self.picture = picture
        self.hasTextFiles = hasTextFiles
    }

    /// The folder that the picture lies in: what it shows.
    private var className: String? {
        let parts = picture.split(separator: "/")
        return parts.count > 1 ? String(parts[parts.count - 2]) : nil
    }

    var names: [String] {
        hasTextFiles ? ["image", "text"] : className == nil ? ["image"] : ["image", "text", "id"]
    }

    func value(_ name: String) throws(Failure) -> FieldValue? {
        switch name {
        case "image": return .text(picture)
        case "text" where hasTextFiles: return .text(try text())
        case "text", "id": return hasTextFiles ? nil : className.map { .text($0) }
        default: return nil
        }
    }

    private func text() throws(Failure) -> String {
        let path = "\(folder)/\(FolderDataset.split(picture).stem).txt"
        let size = try FilePool.shared.size(of: path)
        guard size <= RecordScanner.maximumBytes else {
            throw Failure(.data, "\(path) has \(size) bytes; a text may have \(RecordScanner.maximumBytes)")
        }
        let bytes = try FilePool.shared.bytes(of: path, 0..<size)
        guard let text = String(validating: bytes.withoutByteOrderMark, as: UTF8.self) else {
            throw Failure(.data, "\(path) is not UTF-8 text")
        }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
