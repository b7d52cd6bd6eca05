// The folder of a data set that is made here: written beside its name and renamed at the end. Not here: what is in it.

import Failures
import Foundation

/// Writes into `OUTPUT.partial` and renames when everything is there.
struct DatasetFolder {
    private let output: String
    private let partial: String
    private let replaces: Bool

    /// - Parameters:
    ///   - format: the value of `format` in the `manifest.json` of a folder that may be replaced.
    ///   - force: replaces an existing data set of that format; anything else under the name is never touched.
    /// - Throws: `Failure(.cannotCreate)` if `output` exists and must not or cannot be replaced: before any work is done.
    init(output: String, format: String, force: Bool) throws {
        let path = URL(fileURLWithPath: output).standardizedFileURL.path
        self.output = path
        partial = path + ".partial"
        replaces = FileManager.default.fileExists(atPath: path)
        guard replaces else { return }
        guard force else { throw Failure(.cannotCreate, "\(output) exists; add --force to replace it") }
        guard Self.format(of: path) == format else {
            throw Failure(
                .cannotCreate,
                "\(output) exists and is not a data set of format \(format); it is left alone: choose another name")
        }
    }

    private struct Header: Decodable { let format: String }

    private static func format(of path: String) -> String? {
        FileManager.default.contents(atPath: path + "/manifest.json")
            .flatMap { try? JSONDecoder().decode(Header.self, from: $0).format }
    }

    /// Runs `body` with the partial folder's path, writes what it returns as `manifest.json`, and gives the folder its name.
    func write<Manifest: Encodable>(_ body: (_ partial: String) throws -> Manifest) throws -> Manifest {
        do {
            if FileManager.default.fileExists(atPath: partial) { try FileManager.default.removeItem(atPath: partial) }
            try FileManager.default.createDirectory(atPath: partial, withIntermediateDirectories: true)
            let manifest = try body(partial)
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try (encoder.encode(manifest) + Data("\n".utf8)).write(to: URL(fileURLWithPath: partial + "/manifest.json"))
            if replaces { try FileManager.default.removeItem(atPath: output) }
            try FileManager.default.moveItem(atPath: partial, toPath: output)
            return manifest
        } catch let failure as Failure { throw failure } catch {
            throw Failure(.inputOutput, "cannot write to \(partial): \(error.localizedDescription)")
        }
    }
}
