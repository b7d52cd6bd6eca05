// The formats of data, told from names or stated, and opening them. Not here: the formats (files named after them).

import Failures
import Foundation

/// A kind of data files.
public enum DataFormat: String, Sendable, CaseIterable {
    case jsonl, csv, tsv, webdataset, folder, arrays

    /// Whether a file's name tells a format, one that must be converted before it is read included.
    public static func isTold(by path: String) -> Bool {
        unread.contains(ending(of: path)) || (try? DataFormat(of: path)) != nil
    }

    /// The endings of formats that are not read.
    private static let unread: Set<Substring> = ["parquet", "arrow"]

    /// What stands behind the last dot, a compression's ending apart.
    private static func ending(of path: String) -> Substring {
        var name = path.lowercased()
        for ending in Unpacking.endings where name.hasSuffix(ending) { name.removeLast(ending.count) }
        return name.split(separator: "/").last?.split(separator: ".").last ?? ""
    }

    /// The format that a name tells, a compression's ending apart.
    /// - Throws: `Failure(.data)` when it tells none.
    init(of path: String) throws(Failure) {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
            self = .folder
            return
        }
        switch Self.ending(of: path) {
        case "jsonl", "ndjson", "json": self = .jsonl
        case "csv": self = .csv
        case "tsv": self = .tsv
        case "tar", "tgz": self = .webdataset
        case "npy", "safetensors": self = .arrays
        case let ending where Self.unread.contains(ending):
            throw Failure(
                .data,
                "\(path): Parquet and Arrow files are not read; convert once, for example with "
                    + "python -c \"import pandas; pandas.read_parquet('x.parquet').to_json('x.jsonl', orient='records', lines=True)\" (docs/data.md)"
            )
        default:
            let known = Self.allCases.map(\.rawValue).joined(separator: ", ")
            throw Failure(.data, "\(path): its name tells no format; set format in data.sources to one of \(known)")
        }
    }
}

/// What a source is opened from.
public struct SourceDescription: Sendable, Equatable {
    /// Paths, with braces or wildcards.
    public var paths: [String]
    /// nil: what the names tell.
    public var format: DataFormat?
    public var columns: SourceColumns

    public init(paths: [String], format: DataFormat? = nil, columns: SourceColumns) {
        self.paths = paths
        self.format = format
        self.columns = columns
    }

    /// Opens and checks the files.
    /// - Throws: `Failure(.inputMissing)` for a file that is not there; `Failure(.data)` for one that is wrong, naming the place.
    public func open(onError: RowErrorPolicy = .fail) throws -> any PairSource {
        let paths = try PathPattern.files(paths)
        guard let first = paths.first else { throw Failure(.configuration, "a source of no files; give it a path") }
        let hasFeatures = columns.sides.query.kind == .features || columns.sides.target.kind == .features
        if hasFeatures, let format, format != .arrays {
            throw Failure(
                .configuration,
                "\(first): the format \(format.rawValue) is given, but features are read from arrays; leave format auto"
            )
        }
        let format = try hasFeatures ? .arrays : format ?? DataFormat(of: first)
        if self.format == nil, !hasFeatures {
            for path in paths.dropFirst() {
                let other = try DataFormat(of: path)
                guard other == format else {
                    throw Failure(
                        .data,
                        "\(first) is \(format.rawValue), \(path) is \(other.rawValue); files of several formats are several "
                            + "entries of data.sources")
                }
            }
        }
        switch format {
        case .jsonl:
            return try RecordDataset<JSONLinesSyntax>(files: Self.files(paths), columns: columns, onError: onError)
        case .csv:
            return try RecordDataset<CSVSyntax>(files: Self.files(paths), columns: columns, onError: onError)
        case .tsv:
            return try RecordDataset<TSVSyntax>(files: Self.files(paths), columns: columns, onError: onError)
        case .webdataset:
            return try WebDataset(files: Self.files(paths), columns: columns, onError: onError)
        case .folder:
            guard paths.count == 1 else {
                throw Failure(
                    .data, "\(first) and \(paths.count - 1) more: several folders are several entries of data.sources")
            }
            return try PictureFolder.open(first, columns: columns, onError: onError)
        case .arrays:
            guard paths.count == 1 else {
                throw Failure(
                    .data, "\(first) and \(paths.count - 1) more: several arrays are several entries of data.sources")
            }
            let isThere = FileManager.default.fileExists(atPath: first)
            for side in [columns.sides.query, columns.sides.target] where side.kind != .features && isThere {
                throw Failure(
                    self.format == nil ? .data : .configuration,
                    "\(first): arrays hold features, but this side of the model reads \(side.kind.rawValue)s; give data with "
                        + "\(side.kind.rawValue)s, or train a side of kind features")
            }
            return try ArraySource(
                path: first, query: columns.sides.query, target: columns.sides.target, onError: onError)
        }
    }

    private static func files(_ paths: [String]) throws -> [DataFile] {
        try paths.map { DataFile($0, unpackedTo: try Unpacking.path(of: $0)) }
    }
}
