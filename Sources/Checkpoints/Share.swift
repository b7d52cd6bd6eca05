// The files that one rank contributes to a checkpoint. Not here: when they are written, and what if not (CheckpointStore.swift).

import ArrayFiles
import Buffers
import Foundation

/// What a rank writes: its optimizer shard, which is the first file; at rank 0 also the model and the small files.
struct Share {
    private var tensors: [(file: String, tensors: [SafetensorsTensor], metadata: [String: String])]
    private var small: [String: Data] = [:]

    init(shard: String, optimizer: [OptimizerShard]) { tensors = [(shard, optimizer.flatMap(\.tensors), [:])] }

    /// The parameters, without padding, under their names; and what the manifest and the moments are compared with.
    mutating func addModel(_ layout: ParameterLayout, _ parameters: Floats, step: Int) {
        let model: [SafetensorsTensor] = layout.entries.map { ($0.name, $0.shape, .floats(parameters[$0.range])) }
        tensors.append((Manifest.model, model, ["step": String(step), "layout": layout.fingerprint]))
    }

    mutating func addFiles(state: Data, config: String, extraFiles: [String: Data]) {
        for name in extraFiles.keys {
            precondition(
                Manifest.isFree(name), "'\(name)' is no name for an extra file: not plain, or the checkpoint's own")
        }
        small = extraFiles
        small[Manifest.state] = state
        small[Manifest.config] = Data(config.utf8)
    }

    /// The size of all files together.
    var byteCount: Int {
        small.values.reduce(0) { $0 + $1.count }
            + tensors.reduce(0) { $0 + SafetensorsWriter.byteCount(tensors: $1.tensors, metadata: $1.metadata) }
    }

    /// Writes the files durably, the shard first, and says what the manifest needs to know of them.
    func write(in directory: String) throws -> [Manifest.File] {
        let large = try tensors.map { file, tensors, metadata in
            let digest = Digest()
            var bytes = 0
            try SafetensorsWriter.write(path: "\(directory)/\(file)", tensors: tensors, metadata: metadata) {
                digest.update($0)
                bytes += $0.count
            }
            return Manifest.File(name: file, bytes: bytes, sha256: hexadecimal(digest.finish()))
        }
        return try large + small.sorted { $0.key < $1.key }.map { try Self.write($0.value, as: $0.key, in: directory) }
    }

    static func write(_ data: Data, as name: String, in directory: String) throws -> Manifest.File {
        let output = try OutputFile(path: "\(directory)/\(name)")
        try data.withUnsafeBytes { try output.write($0) }
        try output.commit()
        return Manifest.File(name: name, bytes: data.count, sha256: hexadecimal(Digest.of(data)))
    }
}
