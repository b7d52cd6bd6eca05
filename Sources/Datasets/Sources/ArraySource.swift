// Pairs of precomputed features from array files. Not here: the files' formats (ArrayFiles).

import ArrayFiles
import Failures
import Foundation

/// Row i of one array and row i of another are a pair.
///
/// The data is a safetensors file, whose columns are tensors, or a folder, whose columns are `.npy` files (with or without the
/// ending) or `FILE.safetensors:TENSOR`; without a name they are `queries` and `targets`. Both are memory-mapped: a row costs memory only for its id. A vector of integers named
/// `ids`, where there is one, has the concept of each row; else every row is a concept of its own.
public struct ArraySource: PairSource {
    /// Its path.
    public let name: String
    public let query: Column
    public let target: Column
    public let onError: RowErrorPolicy
    public let skipped = 0
    public let ids: [Int64]
    private let queries: StoredMatrix
    private let targets: StoredMatrix

    /// - Throws: `Failure(.inputMissing)` when a file is missing; `Failure(.data)` when it is not such an array, when the arrays have
    ///   different numbers of rows, or none.
    public init(path: String, query: Column, target: Column, onError: RowErrorPolicy = .fail) throws {
        let folder = try ArrayFolder(path)
        (name, self.query, self.target, self.onError) = (path, query, target, onError)
        queries = try folder.matrix(query.name ?? "queries")
        targets = query == target ? queries : try folder.matrix(target.name ?? "targets")
        guard queries.rows == targets.rows else {
            throw Failure(
                .data,
                "\(queries.name) has \(queries.rows) rows, \(targets.name) has \(targets.rows): row i of both is a pair"
            )
        }
        guard queries.rows > 0 else { throw Failure(.data, "\(queries.name) has no rows") }
        let rows = queries.rows
        if let numbers = try folder.integers("ids") {
            guard numbers.count == rows else {
                throw Failure(.data, "\(path): ids has \(numbers.count) entries for \(rows) rows")
            }
            // As the same integers in another kind of file.
            ids = numbers.map { ConceptIDs.hash(String($0).utf8) }
        } else {
            ids = (0..<rows).map { ConceptIDs.hash("\0row \($0)".utf8) }
        }
    }

    /// Tells whether the arrays are what they were; reads them whole.
    public var fingerprint: UInt64 {
        let own = ids.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
            ($0 ^ UInt64(bitPattern: $1)) &* 0x100_0000_01b3
        }
        let sides = queries === targets ? [queries] : [queries, targets]
        return sides.reduce(own) { ($0 ^ $1.fingerprint) &* 0x100_0000_01b3 }
    }

    public func row(_ index: Int) throws -> PairRow {
        precondition(ids.indices.contains(index), "row \(index) of \(ids.count)")
        return PairRow(
            query: .features(try values(queries, index)), target: .features(try values(targets, index)),
            place: "\(name), row \(index)")
    }

    private func values(_ matrix: StoredMatrix, _ row: Int) throws -> [Float] {
        let values = try matrix.floats(row..<row + 1).array
        guard values.allSatisfy(\.isFinite) else {
            throw Failure(.data, "\(matrix.name): row \(row) has a number that is not finite")
        }
        return values
    }
}

/// Arrays by name: the tensors of a file, or the files of a folder.
private struct ArrayFolder {
    private let path: String
    private let file: SafetensorsFile?

    init(_ path: String) throws {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw Failure(
                .inputMissing,
                "the data \(path) cannot be read; it must be a .npy or safetensors file of features, or a folder of them"
            )
        }
        self.path = path
        file = isFolder.boolValue || path.hasSuffix(".npy") ? nil : try SafetensorsFile(path: path)
    }

    func matrix(_ name: String) throws -> StoredMatrix {
        if let file { return try StoredMatrix(file, tensor: name) }
        // A single array is the column, whatever its name.
        if path.hasSuffix(".npy") { return try StoredMatrix(npy: path) }
        let inside = try place(name)
        if let mark = inside.range(of: ".safetensors:") {
            let container = try SafetensorsFile(path: String(inside[..<mark.upperBound].dropLast()))
            return try StoredMatrix(container, tensor: String(inside[mark.upperBound...]))
        }
        let whole = inside.hasSuffix(".npy") ? inside : inside + ".npy"
        guard FileManager.default.fileExists(atPath: whole) else {
            let there = (try? FileManager.default.contentsOfDirectory(atPath: path))?.sorted() ?? []
            let names = there.prefix(10).joined(separator: ", ") + (there.count > 10 ? ", …" : "")
            throw Failure(
                .inputMissing,
                "\(whole): there is no such file; the folder has \(names.isEmpty ? "none" : names). Name the arrays in "
                    + "data.query.column and data.target.column; without names they are queries.npy and targets.npy")
        }
        return try StoredMatrix(npy: whole)
    }

    /// A vector of integers; nil when there is none of that name.
    func integers(_ name: String) throws -> [Int64]? {
        if let file { return file.entry(name) == nil ? nil : try file.integers(name).array }
        let inside = "\(path)/\(name).npy"
        guard !path.hasSuffix(".npy"), FileManager.default.fileExists(atPath: inside) else { return nil }
        return try NPYArray.readIntegers(path: inside).values
    }

    /// A file inside the folder, never outside it.
    private func place(_ name: String) throws -> String {
        // By bytes: a slash and a mark that joins it are one character of a text, and two to the system.
        guard !name.isEmpty, !name.utf8.contains(0), name.utf8.first != UInt8(ascii: "/"),
            !name.utf8.split(separator: UInt8(ascii: "/")).contains(where: { $0.elementsEqual("..".utf8) })
        else { throw Failure(.data, "\(path): the column '\(name)' is not a file inside the folder") }
        return "\(path)/\(name)"
    }
}
