// The small files of a published model's directory: configurations, tokenizers, preparation. Not here: weights (PublishedWeights).

import ArrayFiles
import Failures
public import Foundation

/// Files by their path within the model's directory, byte for byte as they were: with the weights, all that makes the model.
public struct ModelFiles: Sendable, Equatable {
    /// How messages call the directory.
    public let origin: String
    public let contents: [String: Data]

    public init(origin: String, contents: [String: Data]) {
        self.origin = origin
        self.contents = contents
    }

    public subscript(name: String) -> Data? { contents[name] }

    private static let extensions: Set = ["json", "txt", "model", "jinja", "md", "vocab", "bpe"]
    /// Of one file and of all together; a tokenizer of 250,000 pieces takes 17 MB.
    private static let maximumBytes = 256 << 20

    /// Reads the directory and the directories right below it. Weights are left out, and hidden files.
    /// - Throws: `Failure(.inputMissing)` when it cannot be read, `Failure(.data)` when a file is beyond all measure.
    public init(directory: String) throws {
        origin = directory
        var contents: [String: Data] = [:]
        var total = 0
        for name in try Self.names(in: directory) {
            let paths =
                Self.isDirectory("\(directory)/\(name)")
                ? try Self.names(in: "\(directory)/\(name)").map { "\(name)/\($0)" } : [name]
            for path in paths where Self.isWanted(path) && !Self.isDirectory("\(directory)/\(path)") {
                let file = try InputFile(path: "\(directory)/\(path)")
                total += file.byteCount
                guard total <= Self.maximumBytes else {
                    throw Failure(
                        .data,
                        "\(directory): the files beside the weights have more than \(Self.maximumBytes) bytes, with "
                            + "\(path); is this a model's directory?")
                }
                let data = Data(try file.bytes(at: 0, count: file.byteCount))
                guard contents.updateValue(data, forKey: path) == nil else {
                    throw Failure(
                        .data, "\(directory): two files are called \(path), in two forms of Unicode; rename one of them"
                    )
                }
            }
        }
        self.contents = contents
    }

    private static func isWanted(_ path: String) -> Bool {
        let url = URL(fileURLWithPath: path)
        return extensions.contains(url.pathExtension.lowercased()) && !path.hasSuffix(".index.json")
    }

    private static func isDirectory(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
    }

    private static func names(in directory: String) throws -> [String] {
        guard isDirectory(directory) else {
            throw Failure(
                .inputMissing,
                "\(directory): expected a directory with a published model (config.json, model.safetensors), found none; nothing is "
                    + "downloaded: name the folder that holds the files")
        }
        do {
            return try FileManager.default.contentsOfDirectory(atPath: directory).filter { !$0.hasPrefix(".") }.sorted()
        } catch {
            throw Failure(.inputMissing, "\(directory): cannot be listed: \(error.localizedDescription)")
        }
    }
}
