// Checkpoints that are not what they were, and models they do not fit. Not here: sound ones (CheckpointStoreTests.swift).

import ArrayFiles
import Buffers
import Collectives
import Failures
import Foundation
import Testing

@testable import Checkpoints

@Suite struct DamageTests {
    static let files = [
        "config.yaml", "manifest.json", "model.safetensors", "optimizer-00000-of-00002.safetensors",
        "optimizer-00001-of-00002.safetensors", "state.json", "tokenizer.json",
    ]

    enum Damage: CaseIterable {
        case flippedFirst, flippedMiddle, flippedLast, shortened, lengthened, emptied, missing, directory
    }

    static func damage(_ path: String, _ damage: Damage) throws {
        var bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
        switch damage {
        case .flippedFirst: bytes[0] ^= 1
        case .flippedMiddle: bytes[bytes.count / 2] ^= 0x10
        case .flippedLast: bytes[bytes.count - 1] ^= 0x80
        case .shortened: bytes.removeLast()
        case .lengthened: bytes.append(0)
        case .emptied: bytes = []
        case .missing, .directory: try FileManager.default.removeItem(atPath: path)
        }
        if damage == .directory {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        }
        if damage != .missing, damage != .directory { try Data(bytes).write(to: URL(filePath: path)) }
    }

    /// The files of two checkpoints by two ranks, made once: making things durable is most of a save's time.
    static let sound = Result {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(directory: folder.store, keep: 2)
        _ = try ThreadWorld.run(ranks: 2) { world in
            for step in [10, 20] { try TrainedModel.save(step, to: store, world) }
        }
        let paths = try FileManager.default.subpathsOfDirectory(atPath: folder.store).filter { $0.contains("/") }
        return try paths.map { ($0, try Data(contentsOf: URL(filePath: "\(folder.store)/\($0)"))) }
    }

    /// The damaged newest is skipped with a sentence that names the file, alike on every rank, and the one before is loaded.
    @Test(arguments: files, Damage.allCases) func theOneBeforeIsUsed(file: String, damage: Damage) throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(directory: folder.store, keep: 2)
        for step in ["step-00000010", "step-00000020"] {
            try FileManager.default.createDirectory(
                atPath: "\(folder.store)/\(step)", withIntermediateDirectories: true)
        }
        for (name, data) in try Self.sound.get() { try data.write(to: URL(filePath: "\(folder.store)/\(name)")) }
        let newest = "\(folder.store)/step-00000020"
        try Self.damage("\(newest)/\(file)", damage)
        let warnings = try ThreadWorld.run(ranks: 3) { world in
            var warnings: [String] = []
            let checkpoint = try #require(try store.latest(communicator: world) { warnings.append($0) })
            try TrainedModel.check(checkpoint, 10, world)
            return warnings
        }
        for warning in warnings {
            #expect(warning == warnings[0])
            #expect(warning.count == 1)
            let sentence = try #require(warning.first)
            #expect(sentence.hasPrefix("\(newest) is skipped: ") && sentence.contains(file))
        }
        let failures = try CheckpointStoreTests.outcomes(ranks: 3) {
            _ = try store.open(path: newest, communicator: $0)
        }
        for failure in failures {
            #expect(try #require(failure).kind == (damage == .directory ? .inputMissing : .data))
            #expect(failure?.message == failures[0]?.message)
        }
    }

    /// The manifest has no digest of its own, but no flipped bit of it goes unseen: each byte is tried with one of its bits, and
    /// with the one between upper and lower case.
    @Test func everyByteOfTheManifestMatters() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(directory: folder.store, keep: 1)
        try TrainedModel.save(20, to: store, SoloWorld())
        let path = "\(folder.store)/step-00000020"
        let url = URL(filePath: "\(path)/manifest.json")
        let sound = [UInt8](try Data(contentsOf: url))
        for bit in 0..<sound.count * 8 where bit % 8 == bit / 8 % 8 || bit % 8 == 5 {
            var bytes = sound
            bytes[bit / 8] ^= 1 << (bit % 8)
            try Data(bytes).write(to: url)
            let error = #expect(throws: Failure.self) { try store.open(path: path, communicator: SoloWorld()) }
            if error == nil { Issue.record("bit \(bit % 8) of byte \(bit / 8)") }
        }
        try Data(sound).write(to: url)
        try TrainedModel.check(try store.open(path: path, communicator: SoloWorld()), 20, SoloWorld())
    }

    @Test func aRenamedCheckpointIsNotAnotherStep() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(directory: folder.store, keep: 1)
        try TrainedModel.save(20, to: store, SoloWorld())
        try FileManager.default.moveItem(
            atPath: "\(folder.store)/step-00000020", toPath: "\(folder.store)/step-00000030")
        var warnings: [String] = []
        #expect(try store.latest(communicator: SoloWorld()) { warnings.append($0) }?.step == nil)
        #expect(warnings == ["\(folder.store)/step-00000030 is skipped: it holds step 20"])
        // Explicitly asked for, it is what it says it is.
        #expect(try store.open(path: "\(folder.store)/step-00000030", communicator: SoloWorld()).step == 20)
    }

    /// The manifest's words, and what is said of them.
    @Test(arguments: [
        ("\"version\" : 1", "\"version\" : 2", "version 2"), ("fanoise checkpoint", "other", "'other'"),
        ("\"name\" : \"state.json\"", "\"name\" : \"../state.json\"", "plain name"),
        ("\"name\" : \"tokenizer.json\"", "\"name\" : \"state.json\"", "each file once"),
        ("\"name\" : \"model.safetensors\"", "\"name\" : \"other.safetensors\"", "does not list model.safetensors"),
        ("\"ranks\" : 1", "\"ranks\" : 2", "does not list optimizer-00000-of-00002"),
        ("\"ranks\" : 1", "\"ranks\" : 0", "0 ranks"),
        ("\"ranks\" : 1", "\"ranks\" : 4000000000", "4000000000 ranks"),
        ("\"step\" : 20", "\"step\" : 21", "expected step 20"),
        ("\"step\" : 20", "\"step\" : -1", "step -1"), ("\"files\"", "\"fires\"", "expected a checkpoint's manifest"),
    ]) func tamperedManifestsAreRefused(from: String, to: String, part: String) throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(directory: folder.store, keep: 1)
        try TrainedModel.save(20, to: store, SoloWorld())
        let path = "\(folder.store)/step-00000020"
        let url = URL(filePath: "\(path)/manifest.json")
        let text = try String(contentsOf: url, encoding: .utf8)
        #expect(text.contains(from))
        try Data(text.replacingOccurrences(of: from, with: to).utf8).write(to: url)
        expectFailure(.data, ["\(path)/manifest.json", part]) {
            _ = try store.open(path: path, communicator: SoloWorld())
        }
    }

    // MARK: - Models that do not fit

    static func saved(_ folder: TemporaryFolder) throws -> Checkpoint {
        let store = CheckpointStore(directory: folder.store, keep: 1)
        try TrainedModel.save(20, to: store, SoloWorld())
        return try store.open(path: "\(folder.store)/step-00000020", communicator: SoloWorld())
    }

    @Test func tensorsAreCompared() throws {
        let folder = try TemporaryFolder()
        var layout = ParameterLayout()
        _ = layout.add("image.weight", shape: [5, 7], decays: true)
        _ = layout.add("image.bias", shape: [7], decays: false)
        _ = layout.add("head.weight", shape: [2], decays: true)
        let buffer = Floats(repeating: 3, count: layout.count)
        let checkpoint = try Self.saved(folder)
        expectFailure(
            .data,
            [
                "model.safetensors does not fit", "missing: head.weight;", "unexpected: ", "text.embedding",
                "logit_scale",
                "image.weight (expected F32 [5, 7], found F32 [7, 5])",
            ]
        ) { try checkpoint.loadParameters(layout: layout, into: buffer) }
        #expect(buffer.array.allSatisfy { $0 == 3 })
    }

    /// Parameters are found by name in any order; moments lie in the order they were saved in, and are refused in another.
    @Test func momentsOfAnotherOrderAreRefused() throws {
        let folder = try TemporaryFolder()
        var layout = ParameterLayout()
        for entry in TrainedModel.layout.entries.reversed() {
            _ = layout.add(entry.name, shape: entry.shape, decays: true)
        }
        let buffer = Floats(count: layout.count)
        let checkpoint = try Self.saved(folder)
        try checkpoint.loadParameters(layout: layout, into: buffer)
        for (entry, old) in zip(layout.entries, TrainedModel.layout.entries.reversed()) {
            #expect(TrainedModel.bits(buffer[entry.range]) == TrainedModel.bits(TrainedModel.parameters(20)[old.range]))
        }
        expectFailure(.data, ["another order"]) {
            try checkpoint.loadMoments(name: "first_moment", layout: layout, ranges: [0..<layout.count], into: buffer)
        }
    }

    @Test func elementsThatNobodySavedAreNamed() throws {
        let folder = try TemporaryFolder()
        let layout = TrainedModel.layout
        let store = CheckpointStore(directory: folder.store, keep: 1)
        let shard = OptimizerShard(
            name: "m", ranges: [0..<16, 16..<16, 32..<48], values: Floats((0..<32).map { Float($0) }))
        try store.save(
            step: 1, layout: layout, parameters: TrainedModel.parameters(1), optimizer: [shard], state: Data("{}".utf8),
            config: "",
            communicator: SoloWorld())
        let checkpoint = try store.open(path: "\(folder.store)/step-00000001", communicator: SoloWorld())
        let loaded = Floats(count: 6)
        try checkpoint.loadMoments(name: "m", layout: layout, ranges: [33..<36, 5..<5, 13..<16], into: loaded)
        #expect(loaded.array == [17, 18, 19, 13, 14, 15])
        expectFailure(.data, ["element 16 of the optimizer's 'm'"]) {
            try checkpoint.loadMoments(name: "m", layout: layout, ranges: [12..<18], into: loaded)
        }
        expectFailure(.data, ["expected the optimizer's 'v', found m"]) {
            try checkpoint.loadMoments(name: "v", layout: layout, ranges: [0..<6], into: loaded)
        }
    }
}
