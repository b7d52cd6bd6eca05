// Writing a directory so that it is there whole or not at all. Not here: what is in it (ModelExporter).

import ArrayFiles
import Failures
import Foundation

/// A directory of small files and weights.
enum ExportedDirectory {
    /// - Throws: `Failure(.cannotCreate)` when something is at `path` already.
    static func requireFree(_ path: String) throws {
        let path = standardized(path)
        guard !FileManager.default.fileExists(atPath: path) else {
            throw Failure(
                .cannotCreate, "\(path): is there already and is not overwritten; choose another directory or remove it"
            )
        }
    }

    /// Without a slash at the end, which a name to rename to must not have.
    private static func standardized(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.path }

    /// Writes into `PATH.partial`, makes every file durable, and renames.
    /// - Throws: `Failure(.cannotCreate)` or `Failure(.inputOutput)`; nothing is at `path` then.
    static func write(files: [String: Data], tensors: [String: [SafetensorsTensor]], to path: String) throws {
        let path = standardized(path)
        let partial = path + ".partial"
        do {
            try? FileManager.default.removeItem(atPath: partial)
            try make(partial)
            for folder in Set((Array(files.keys) + Array(tensors.keys)).compactMap(folder)).sorted() {
                try make("\(partial)/\(folder)")
            }
            for (name, data) in files {
                let output = try OutputFile(path: "\(partial)/\(name)")
                try data.withUnsafeBytes { try output.write($0) }
                try output.commit()
            }
            for (name, tensors) in tensors {
                try SafetensorsWriter.write(
                    path: "\(partial)/\(name)", tensors: tensors, metadata: ["format": "pt"])
            }
            try requireFree(path)
            guard rename(partial, path) == 0 else {
                throw Failure(.cannotCreate, "\(partial): cannot be renamed to \(path): \(systemMessage())")
            }
            try syncDirectory((path as NSString).deletingLastPathComponent)
        } catch {
            try? FileManager.default.removeItem(atPath: partial)
            throw error
        }
    }

    private static func folder(_ name: String) -> String? {
        let folder = (name as NSString).deletingLastPathComponent
        return folder.isEmpty ? nil : folder
    }

    private static func make(_ path: String) throws {
        do { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) } catch {
            throw Failure(
                .cannotCreate,
                "\(path): cannot be made a directory: \(error.localizedDescription); check that the path is writable")
        }
    }
}
