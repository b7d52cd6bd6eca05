// A verified checkpoint, open for loading. Not here: finding and saving (CheckpointStore.swift), the manifest's rules (Manifest.swift).

import ArrayFiles
public import Buffers
public import Collectives
import Failures
public import Foundation

/// A complete, verified checkpoint. Loading is *local* and does not depend on how many ranks wrote it.
public struct Checkpoint: Sendable {
    /// Its directory.
    public let path: String
    public let step: Int
    /// The bytes of `state.json`, as given to `CheckpointStore.save`.
    public let stateData: Data
    /// The run's configuration at the time.
    public let config: String

    private let model: SafetensorsFile
    private let shards: [SafetensorsFile]
    private let files: Set<String>

    /// Opens the directory at `path` after comparing every file with the manifest. *Collective*: the ranks share the comparing, and
    /// all succeed or all throw the same failure.
    ///
    /// - Throws: `Failure(.inputMissing)` when there is no such directory, `Failure(.data)` naming the file that is wrong.
    public static func open(path: String, communicator: any Communicator) throws -> Checkpoint {
        // Compared by all before it is opened by any, so that the failure names what differs rather than what comes of it.
        let manifest = try agreed(communicator) {
            let manifest = try Manifest(directory: path)
            let part = stride(from: communicator.rank, to: manifest.files.count, by: communicator.size)
            try manifest.verify(path, part: part, depth: .digests)
            return manifest
        }
        return try agreed(communicator) { try Checkpoint(path: path, manifest: manifest) }
    }

    private init(path: String, manifest: Manifest) throws {
        self.path = path
        step = manifest.step
        files = Set(manifest.files.map(\.name))
        stateData = try Self.contents("\(path)/\(Manifest.state)")
        let text = try Self.contents("\(path)/\(Manifest.config)")
        guard let config = String(validating: text, as: UTF8.self) else {
            throw Failure(.data, "\(path)/\(Manifest.config): expected UTF-8 text")
        }
        self.config = config
        model = try SafetensorsFile(path: "\(path)/\(Manifest.model)")
        shards = try (0..<manifest.ranks).map {
            try SafetensorsFile(path: "\(path)/\(Manifest.shard($0, of: manifest.ranks))")
        }
        // The manifest is not covered by a digest of its own; its step is.
        guard model.metadata["step"] == String(step) else {
            throw Failure(
                .data,
                "\(path)/\(Manifest.name): expected step \(model.metadata["step"] ?? "none") of the model, found \(step)"
            )
        }
    }

    private static func contents(_ path: String) throws -> Data {
        let file = try InputFile(path: path)
        return Data(try file.bytes(at: 0, count: file.byteCount))
    }

    /// SHA-256 of the manifest, which holds those of all files: two checkpoints with the same are the same.
    public var digest: String {
        get throws { hexadecimal(Digest.of(try Self.contents("\(path)/\(Manifest.name)"))) }
    }

    /// Names of all its files, sorted; `extraFile` gives the contents of those that were given to `save` as such.
    public var extraFileNames: [String] { files.sorted() }

    /// One of the `extraFiles` given to `save`; nil when there was none of that name.
    public func extraFile(_ name: String) throws -> Data? {
        files.contains(name) ? try Self.contents("\(path)/\(name)") : nil
    }

    /// Overwrites `buffer` with the parameters; padding becomes zero.
    ///
    /// - Precondition: `buffer` has the elements of `layout`.
    /// - Throws: `Failure(.data)`, listing the tensors that are missing, unexpected or of another shape; nothing is written then.
    public func loadParameters(layout: ParameterLayout, into buffer: Floats) throws {
        precondition(
            buffer.count == layout.count, "a buffer of \(buffer.count) elements for a layout of \(layout.count)")
        try compare(layout)
        buffer.fill(0)
        for entry in layout.entries { buffer[entry.range].copy(from: try model.floats(entry.name)) }
    }

    /// Overwrites `buffer` with elements `ranges` of the flat buffer saved as `name`, one range after the other, from whatever shards
    /// hold them.
    ///
    /// - Precondition: `buffer` has as many elements as `ranges`, which lie within `layout`.
    /// - Throws: `Failure(.data)` when nothing was saved as `name`, when a part of a range is in no shard, or when the parameters lay
    ///   elsewhere in the flat buffer than they do in `layout`.
    public func loadMoments(name: String, layout: ParameterLayout, ranges: [Range<Int>], into buffer: Floats) throws {
        let count = ranges.reduce(0) { $0 + $1.count }
        precondition(buffer.count == count, "a buffer of \(buffer.count) elements for ranges of \(count)")
        guard model.metadata["layout"] == layout.fingerprint else {
            throw Failure(
                .data,
                "\(path): '\(name)' belongs to parameters in another order; load the parameters alone and begin with fresh moments"
            )
        }
        let pieces = OptimizerShard.pieces(named: name, in: shards)
        guard !pieces.isEmpty || count == 0 else {
            let found = OptimizerShard.names(in: shards).joined(separator: ", ")
            throw Failure(
                .data,
                "\(path): expected the optimizer's '\(name)', found \(found.isEmpty ? "none" : found); use the kind of optimizer, and the "
                    + "averaging of parameters, that it was saved with")
        }
        var target = 0
        for range in ranges {
            precondition(
                range.lowerBound >= 0 && range.upperBound <= layout.count,
                "range \(range) exceeds a layout of \(layout.count)")
            var position = range.lowerBound
            while position < range.upperBound {
                guard let piece = OptimizerShard.piece(holding: position, in: pieces) else {
                    throw Failure(.data, "\(path): element \(position) of the optimizer's '\(name)' is in no shard")
                }
                let end = min(range.upperBound, piece.range.upperBound)
                let source = try piece.file.floats(piece.tensor)[
                    position - piece.range.lowerBound..<end - piece.range.lowerBound]
                buffer[target..<target + source.count].copy(from: source)
                target += source.count
                position = end
            }
        }
    }

    /// What the saved model lacks, has too much, or has in another shape, in one sentence.
    private func compare(_ layout: ParameterLayout) throws {
        func listed(_ names: [String]) -> String {
            names.prefix(5).joined(separator: ", ") + (names.count > 5 ? " and \(names.count - 5) more" : "")
        }
        let missing = layout.entries.map(\.name).filter { model.entry($0) == nil }
        let unexpected = model.names.filter { layout.index(of: $0) == nil }
        let different = layout.entries.compactMap { entry -> String? in
            guard let found = model.entry(entry.name), found.shape != entry.shape || found.type != .float32 else {
                return nil
            }
            return "\(entry.name) (expected F32 \(entry.shape), found \(found.type.rawValue) \(found.shape))"
        }
        let complaints = [("missing", missing), ("unexpected", unexpected), ("different", different)].filter {
            !$0.1.isEmpty
        }
        guard !complaints.isEmpty else { return }
        throw Failure(
            .data,
            "\(model.path) does not fit this model: "
                + complaints.map { "\($0.0): \(listed($0.1))" }.joined(separator: "; ")
                + "; use the configuration it was trained with")
    }
}

extension ParameterLayout {
    /// A digest of what lies where, by which flat buffers of one layout are told from those of another.
    var fingerprint: String {
        let lines = entries.map { "\($0.name) \($0.shape) \($0.offset)\n" }.joined() + "\(count)"
        return hexadecimal(Digest.of(lines.utf8))
    }
}
