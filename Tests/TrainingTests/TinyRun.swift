// A training run small enough to repeat hundreds of times: data, configuration, whole runs, single steps. Not here: any claim.

import Autograd
import Buffers
import Collectives
import Datasets
import Foundation
import Kernels
import Pictures
import Testing

@testable import Training

/// A temporary folder with a data set of 42 pictures of 14 concepts, and the runs made on it.
///
/// With a global batch of 10 an epoch has five batches, the last of two rows: no batch divides by 3 or 4, and with 4 ranks two have
/// nothing in the last one. Every concept has three drawings, a name and two longer captions, so that texts differ in length.
final class TinyRun: Sendable {
    /// One for all tests of the process; every configuration has a name, and so a folder, of its own.
    static let shared = Result { try TinyRun() }

    let folder: String
    static let rows = 42

    init() throws {
        setBLASThreads(1)
        folder = FileManager.default.temporaryDirectory.appending(path: "fanoise-training-\(UUID())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let colours: [(name: String, rgb: [UInt8])] = [
            ("red", [220, 30, 40]), ("green", [40, 170, 60]), ("blue", [30, 60, 210]), ("yellow", [240, 210, 40]),
            ("violet", [140, 50, 190]), ("black", [20, 20, 20]), ("orange", [250, 140, 20]),
        ]
        var lines: [String] = []
        for row in 0..<Self.rows {
            let (concept, drawing) = (row % 14, row / 14)
            let (colour, isDisc) = (colours[concept % 7], concept < 7)
            let name = "\(row).png"
            try Self.drawing(colour.rgb, isDisc: isDisc, drawing: drawing).write(path: "\(folder)/\(name)")
            let shape = isDisc ? "disc" : "square"
            lines.append(
                #"{"id": "\#(colour.name) \#(shape)", "image": "\#(name)", "text": "\#(colour.name) \#(shape)", "#
                    + #""texts": ["a \#(shape)", "\#(shape) in \#(colour.name) paint"]}"#)
        }
        Self.removeAtExit(folder)
        try lines.joined(separator: "\n").write(toFile: "\(folder)/train.jsonl", atomically: true, encoding: .utf8)
    }

    /// A static is never released: the folder goes with the process.
    private static func removeAtExit(_ folder: String) {
        toRemove = folder
        atexit { TinyRun.toRemove.map { try? FileManager.default.removeItem(atPath: $0) } }
    }

    nonisolated(unsafe) private static var toRemove: String?

    /// A shape of one colour on white, larger and further right in each drawing.
    private static func drawing(_ rgb: [UInt8], isDisc: Bool, drawing: Int) -> Picture {
        let size = 20
        let (centre, radius) = (9.0 + Double(drawing), 5.0 + Double(drawing))
        var pixels = [UInt8](repeating: 255, count: size * size * 3)
        for y in 0..<size {
            for x in 0..<size {
                let (dx, dy) = (Double(x) - centre, Double(y) - 10)
                let isInside = isDisc ? dx * dx + dy * dy <= radius * radius : max(abs(dx), abs(dy)) <= radius * 0.8
                if isInside { pixels.replaceSubrange((y * size + x) * 3..<(y * size + x) * 3 + 3, with: rgb) }
            }
        }
        return Picture(width: size, height: size, pixels: pixels)
    }

    /// Two towers of width 16 and one block; every step logged, a checkpoint at the end, no evaluation.
    func configuration(_ options: [String] = [], name: String = "run-\(UUID())") throws -> RunConfig {
        let yaml = """
            name: \(name)
            output: \(folder)/runs
            seed: 7
            steps: 50
            threads: 1
            model:
              query: {kind: vit, image_size: 16, patch: 8, width: 16, depth: 1, heads: 2}
              target: {kind: text, vocabulary: 280, context: 10, width: 16, depth: 1, heads: 2}
              embedding: 12
            data: {train: \(folder)/train.jsonl, captions: {name_probability: 0.5}, prefetch: 1}
            batch: {global: 10}
            optimizer: {learning_rate: 1e-3, schedule: constant}
            evaluate: {every: null}
            checkpoint: {every: null}
            log: {every: 1}
            """
        return try RunConfig.parse(yaml, file: "tiny.yaml", options: options)
    }

    /// Both towers text, a caption against a caption of the same row.
    static let textPairs = [
        "model.query={kind: text, vocabulary: 280, context: 8, width: 16, depth: 1, heads: 2}",
        "data.query={column: text, kind: text}",
    ]

    /// The same with one tower for both sides.
    static let sharedTexts =
        textPairs + [
            "model.target={kind: text, vocabulary: 280, context: 8, width: 16, depth: 1, heads: 2}",
            "model.shared=true",
        ]
}

/// What a run leaves behind, of one rank.
struct RunResult: Sendable {
    var summary: Trainer.Summary
    var parameters: [Float]
}

/// Runs `body` on `ranks` ranks, of which one is a world of its own kind, and gives the results in rank order.
func inWorld<Value: Sendable>(
    of ranks: Int, _ body: @escaping @Sendable (any Communicator) throws -> Value
) throws -> [Value] {
    ranks == 1 ? [try body(SoloWorld())] : try ThreadWorld.run(ranks: ranks, body)
}

/// Trains as `fanoise train` does, to the end.
/// - Parameter stopAfter: a step during which the last rank is asked to stop.
@discardableResult
func train(
    _ configuration: RunConfig, ranks: Int = 1, resume: Resume = .automatic, allowedChanges: Set<String> = [],
    stopAfter: Int? = nil
) throws -> RunResult {
    try inWorld(of: ranks) { communicator in
        let trainer = try Trainer(
            configuration: configuration, resume: resume, allowedChanges: allowedChanges, progress: .silent,
            communicator: communicator)
        if let stopAfter {
            trainer.stopRequested = { communicator.rank == ranks - 1 && communicator.step + 1 >= stopAfter }
        }
        let summary = try trainer.run()
        return RunResult(summary: summary, parameters: trainer.model.parameters.values.array)
    }[0]
}

/// The rows of a run's `metrics.jsonl`.
func metrics(_ configuration: RunConfig) throws -> [[String: Any]] {
    try String(contentsOfFile: RunFolder(configuration.folder).metrics, encoding: .utf8).split(separator: "\n").map {
        line in
        try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
}

/// One column of the metrics, NaN where it is null.
func curve(_ configuration: RunConfig, _ key: String = "loss") throws -> [Double] {
    try metrics(configuration).map { $0[key] as? Double ?? .nan }
}

/// Training without files: model, optimizer and step as `Trainer` makes them, over the batches of its loader.
final class Stepper {
    let model: DualEncoder
    let optimizer: ShardedOptimizer
    let communicator: any Communicator
    private let step: TrainingStep
    private let loader: BatchLoader
    private var done = 0

    /// - Parameter steps: batches prepared, from step 1.
    init(_ configuration: RunConfig, steps: Int, communicator: any Communicator) throws {
        let source = try configuration.trainingSource()
        let sampler = try configuration.sampler(source)
        let assets = try ModelAssets(trainedOn: source, configuration)
        model = try DualEncoder(configuration, assets)
        try assets.origins.fill(model, configuration)
        optimizer = try ShardedOptimizer(
            configuration, steps: steps, model: model, rank: communicator.rank, worldSize: communicator.size)
        step = try TrainingStep(
            configuration: configuration, model: model, optimizer: optimizer, communicator: communicator)
        loader = try BatchLoader(
            source: source, sampler: sampler, preparation: configuration.preparation(assets, augments: true),
            seed: configuration.seed,
            rank: communicator.rank, worldSize: communicator.size, steps: 1...steps,
            maximumNegatives: configuration.data.negatives.maximum, prefetch: 0)
        self.communicator = communicator
    }

    /// The next step.
    func next(stopRequested: Bool = false) throws -> StepReport {
        done += 1
        return try step(try loader.next(), step: done, stopRequested: stopRequested)
    }

    /// The elements whose gradients are sums over all ranks, with their values.
    var ownGradients: [(range: Range<Int>, values: [Float])] {
        optimizer.state.ranges.map { ($0, model.parameters.gradients[$0].array) }
    }
}

/// The gradient of a global batch, as its ranks computed it.
struct StepGradient: Sendable {
    /// Of the layout's count.
    var values: [Float]
    var loss: Double
    var entries: [ParameterLayout.Entry]

    /// Of one parameter.
    func callAsFunction(_ entry: ParameterLayout.Entry) -> ArraySlice<Float> { values[entry.range] }

    /// ‖a − b‖ / ‖b‖ of the parameter for which it is largest; gradients below `floor` of the whole gradient's norm count as that.
    func largestDifference(from other: StepGradient, floor: Double) -> (name: String, value: Double) {
        let whole = norm(other.values[...])
        return entries.map { entry in
            let difference = zip(self(entry), other(entry)).reduce(0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
                .squareRoot()
            return (entry.name, difference / max(norm(other(entry)), floor * whole))
        }.max { $0.1 < $1.1 } ?? ("", 0)
    }

    private func norm(_ values: ArraySlice<Float>) -> Double {
        values.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    }
}

/// The gradient of step `step` at a world size, put together from what each rank owns.
/// - Parameters:
///   - prepare: changes the initial parameters, on every rank alike.
///   - world: stands between the ranks and their communicator: planted faults.
func gradient(
    _ configuration: RunConfig, ranks: Int = 1, step: Int = 1,
    prepare: @escaping @Sendable (DualEncoder) -> Void = { _ in },
    world: @escaping @Sendable (any Communicator) -> any Communicator = { $0 }
) throws -> StepGradient {
    let parts = try inWorld(of: ranks) { communicator in
        let stepper = try Stepper(configuration, steps: step, communicator: world(communicator))
        prepare(stepper.model)
        for _ in 1..<step { _ = try stepper.next() }
        let report = try stepper.next()
        return (parts: stepper.ownGradients, loss: report.loss, layout: stepper.model.parameters.trainable)
    }
    let first = parts[0]
    var values = [Float](repeating: .nan, count: first.layout.count)
    for (range, part) in parts.flatMap(\.parts) { values.replaceSubrange(range, with: part) }
    return StepGradient(values: values, loss: first.loss, entries: first.layout.entries)
}
