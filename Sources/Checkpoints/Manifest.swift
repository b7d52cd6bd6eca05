// The list that makes a directory a checkpoint. Not here: what the files hold (Checkpoint.swift), when it is written (CheckpointStore.swift).

import ArrayFiles
import Failures
import Foundation

/// `manifest.json`: size and SHA-256 of every file of a checkpoint. Written last: where it is missing or wrong, there is no checkpoint.
struct Manifest: Codable, Equatable {
    /// One file of the directory.
    struct File: Codable, Equatable {
        let name: String
        let bytes: Int
        /// Lower-case hexadecimal.
        let sha256: String
    }

    static let name = "manifest.json"
    static let model = "model.safetensors"
    static let state = "state.json"
    static let config = "config.yaml"

    /// Far more than the ranks of any machine need.
    private static let maximumBytes = 1 << 26

    var format = "fanoise checkpoint"
    var version = 1
    var step: Int
    /// Ranks that wrote it, one optimizer shard each.
    var ranks: Int
    var files: [File]

    /// The optimizer shard of a rank: `optimizer-00002-of-00004.safetensors`, ranks from 0.
    static func shard(_ rank: Int, of ranks: Int) -> String {
        String(format: "optimizer-%05ld-of-%05ld.safetensors", rank, ranks)
    }

    /// Whether a file of the caller may have this name.
    static func isFree(_ name: String) -> Bool {
        !name.isEmpty && !name.contains("/") && !name.hasPrefix(".") && !name.hasPrefix("optimizer-")
            && ![Manifest.name, model, state, config].contains(name)
    }

    func encoded() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self)
    }

    /// Reads the manifest of a directory and checks that it lists what a checkpoint needs. Local.
    ///
    /// - Throws: `Failure(.data)`, naming the file and what is wrong; `Failure(.inputMissing)` when there is no such directory.
    init(directory: String) throws {
        let path = "\(directory)/\(Manifest.name)"
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: directory, isDirectory: &isDirectory), isDirectory.boolValue else {
            throw Failure(
                .inputMissing,
                "\(directory): expected a checkpoint's directory, found \(isDirectory.boolValue ? "a file" : "none")")
        }
        guard FileManager.default.fileExists(atPath: path) else {
            throw Failure(
                .data, "\(directory): has no \(Manifest.name): not a checkpoint, or one whose saving was interrupted")
        }
        let file = try InputFile(path: path)
        guard file.byteCount <= Manifest.maximumBytes else {
            throw Failure(
                .data, "\(path): expected a manifest of at most \(Manifest.maximumBytes) bytes, found \(file.byteCount)"
            )
        }
        do {
            self = try JSONDecoder().decode(Manifest.self, from: Data(try file.bytes(at: 0, count: file.byteCount)))
        } catch let error as DecodingError {
            throw Failure(.data, "\(path): expected a checkpoint's manifest, found \(error)")
        }
        guard format == "fanoise checkpoint", version == 1 else {
            throw Failure(
                .data, "\(path): expected format 'fanoise checkpoint' version 1, found '\(format)' version \(version)")
        }
        guard step >= 0, ranks >= 1, ranks <= files.count else {
            throw Failure(
                .data, "\(path): step \(step) written by \(ranks) ranks in \(files.count) files is not possible")
        }
        let names = Set(files.map(\.name))
        guard names.count == files.count, names.allSatisfy({ !$0.contains("/") && !$0.hasPrefix(".") && !$0.isEmpty })
        else {
            throw Failure(.data, "\(path): expected each file once, by a plain name, found \(files.map(\.name))")
        }
        let required =
            [Manifest.model, Manifest.state, Manifest.config] + (0..<ranks).map { Manifest.shard($0, of: ranks) }
        guard let missing = required.first(where: { !names.contains($0) }) else { return }
        throw Failure(.data, "\(path): does not list \(missing)")
    }

    init(step: Int, ranks: Int, files: [File]) {
        self.step = step
        self.ranks = ranks
        self.files = files
    }

    /// How thoroughly files are compared with the manifest.
    enum Depth { case sizes, digests }

    /// Compares the files `part` of the list with what lies in `directory`. Local.
    ///
    /// - Throws: `Failure(.data)`: the first file that is missing or differs, with what was expected and found.
    func verify(_ directory: String, part: some Sequence<Int>, depth: Depth) throws {
        for expected in part.map({ files[$0] }) {
            let path = "\(directory)/\(expected.name)"
            guard FileManager.default.fileExists(atPath: path) else {
                throw Failure(.data, "\(path): is listed in the manifest, but missing")
            }
            let file = try InputFile(path: path)
            guard file.byteCount == expected.bytes else {
                throw Failure(
                    .data, "\(path): expected \(expected.bytes) bytes by the manifest, found \(file.byteCount)")
            }
            guard depth == .digests else { continue }
            let found = hexadecimal(try Digest.of(file))
            guard found == expected.sha256 else {
                throw Failure(
                    .data,
                    "\(path): expected SHA-256 \(expected.sha256) by the manifest, found \(found): the file has changed; take another "
                        + "checkpoint"
                )
            }
        }
    }
}
