// A folder of pictures whose subfolders are classes. Not here: decoding, what classes mean.

import Failures
import Foundation

/// Every picture under `FOLDER/CLASS/`, at any depth; classes and pictures in the order of their names' bytes. A row's id is its class.
public struct LabelledPictures: PairSource {
    public let query: Column
    public let target: Column
    public let onError = RowErrorPolicy.fail
    public let skipped = 0
    public let ids: [Int64]
    /// Class of each row, by name.
    public let labels: [String]
    private let paths: [String]

    /// - Throws: `Failure(.inputMissing)` when there is no such folder, or a class cannot be read; `Failure(.data)` when no subfolder has a picture.
    public init(path: String, column: Column) throws {
        let files = FileManager.default
        guard let entries = try? files.contentsOfDirectory(atPath: path) else {
            throw Failure(
                .inputMissing, "\(path) cannot be read; give a folder whose subfolders are classes of pictures")
        }
        func ordered(_ names: [String]) -> [String] { names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } }
        var (labels, paths): ([String], [String]) = ([], [])
        for label in ordered(entries) where !label.hasPrefix(".") {
            var isFolder: ObjCBool = false
            guard files.fileExists(atPath: "\(path)/\(label)", isDirectory: &isFolder), isFolder.boolValue else {
                continue
            }
            for name in ordered(try PictureFolder.entries(below: "\(path)/\(label)")) {
                let ending = (name as NSString).pathExtension.lowercased()
                guard ColumnNames.pictureExtensions.contains(ending) else { continue }
                labels.append(label)
                paths.append("\(path)/\(label)/\(name)")
            }
        }
        guard !paths.isEmpty else {
            let endings = ColumnNames.pictureExtensions.sorted().joined(separator: ", ")
            throw Failure(.data, "\(path) has no subfolder with pictures (\(endings))")
        }
        (query, target, self.labels, self.paths) = (column, column, labels, paths)
        ids = labels.map { ConceptIDs.hash($0.utf8) }
    }

    public func row(_ index: Int) throws -> PairRow {
        let side = PairSide.picture(.file(paths[index]))
        return PairRow(query: side, target: side, place: paths[index])
    }
}
