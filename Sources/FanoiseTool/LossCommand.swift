// `fanoise loss`: loss and gradients of anyone's arrays. Not here: the loss (Losses), how rows are sharded (ShardedArray.swift).
//
// N: queries · k: targets a query brings · M = k·N: targets · E: embedding width · B: rows of a rank.

public import ArgumentParser
import ArrayFiles
import Buffers
import Collectives
import Failures
import Foundation
public import Losses

extension ContrastiveLossOptions.Kind: ExpressibleByArgument {}
extension ContrastiveLossOptions.Precision: ExpressibleByArgument {}

struct LossCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loss",
        abstract: "Compute a contrastive loss of two arrays, and its gradients.",
        discussion: """
            Rows are taken as they are, not normalised. Row i of the queries belongs to row i of the targets; with M = kN targets, row \
            N*j + i is the j-th negative listed for query i, and a negative of every query. Rows with equal ids are never each other's \
            negatives. The loss is the mean over all N queries; rows are sharded over ranks, and the result does not depend on their \
            number.
            """)

    @Option(help: "Queries (.npy, N x E).") var queries: String
    @Option(help: "Targets (.npy, M x E, M a multiple of N); the first N are the positives.") var targets: String
    @Option(help: "Integers (.npy, N of the positives or M of all targets).") var ids: String?
    @Option(help: "Which loss.") var loss: ContrastiveLossOptions.Kind = .infonce
    @Option(parsing: .unconditional, help: "Temperature, above 0.") var temperature = 0.07
    @Option(parsing: .unconditional, help: "Bias of the sigmoid loss, and of no other.") var bias: Float = 0
    @Option(help: "Folder for the gradients queries.npy and targets.npy.") var gradients: String?
    @Option(parsing: .unconditional, help: "Columns of logits held at a time.") var tile: Int?
    @Option(help: "Number type of the logits; automatic: float64 for small arrays and for large logits.")
    var precision: ContrastiveLossOptions.Precision = .automatic
    @Option(
        parsing: .unconditional,
        help:
            "Look at about so many queries only, each against all targets: estimates loss and time of arrays too large for all."
    )
    var sampleRows: Int?
    @OptionGroup var world: WorldOptions
    @Flag(help: "Print one JSON object on standard output.") var json = false

    func run() throws {
        // The loss takes float32, where a number above 0 may be 0.
        let nearest = Float(temperature)
        guard nearest > 0, nearest.isFinite else {
            throw Failure(.usage, "--temperature is \(temperature); it must be a number above 0 that float32 holds")
        }
        guard bias.isFinite else { throw Failure(.usage, "--bias is \(bias); it must be a finite number") }
        guard bias == 0 || loss == .sigmoid else {
            throw Failure(.usage, "--bias is \(bias); it is for the loss sigmoid: give --loss sigmoid, or leave it out")
        }
        if let tile, !(1...largestCount).contains(tile) {
            throw Failure(.usage, "--tile is \(tile); it must be from 1 to \(largestCount) columns")
        }
        if let sampleRows {
            guard sampleRows >= 1 else {
                throw Failure(.usage, "--sample-rows is \(sampleRows); it must be 1 row or more")
            }
            guard loss != .symmetric else {
                throw Failure(
                    .usage, "--sample-rows is for the losses infonce and sigmoid: a column of symmetric needs all rows")
            }
        }
        let job = LossJob(
            queries: queries, targets: targets, ids: ids, gradients: gradients, temperature: nearest, bias: bias,
            options: ContrastiveLossOptions(kind: loss, tile: tile, precision: precision, sampledRows: sampleRows))
        let asJSON = json
        if let gradients {
            for name in ["queries.npy", "targets.npy"] {
                try requireNoInput("\(gradients)/\(name)", among: [queries, targets, ids])
            }
        }
        try world.run { communicator in
            let summary = try job.run(communicator)
            guard communicator.rank == 0 else { return }
            summary.tellPeople()
            if asJSON { try printJSON(summary) }
        }
    }
}

/// The work of `fanoise loss` on one rank.
private struct LossJob: Sendable {
    var queries: String
    var targets: String
    var ids: String?
    var gradients: String?
    var temperature: Float
    var bias: Float
    var options: ContrastiveLossOptions

    /// Above this, rounding of a float64 logit is 1e-4 or more, and a loss means nothing.
    private static let largestLogit = 1e12

    /// *Collective.*
    func run(_ communicator: any Communicator) throws -> LossSummary {
        let (n, k, width) = try shapes()
        let queries_BE = try ShardedArray(path: queries, communicator: communicator)
        let rows = queries_BE.range
        let targets_KBE = try Self.rows(of: targets, rows, blocks: k, globalRows: n, columns: width)
        var options = options
        options.targetsPerQuery = k
        let ids = try identities(rows, n: n, k: k)
        try communicator.barrier()
        let start = ContinuousClock.now
        let result = try ContrastiveLoss(options)(
            queries: queries_BE.values_BN, targets: targets_KBE, ids: ids, rows: rows.count,
            columns: width, temperature: temperature, bias: bias, communicator: communicator)
        let seconds = try communicator.allReduce((ContinuousClock.now - start) / .seconds(1), .maximum)
        if let position = result.nonFinite { throw failure(position, n: n, ranks: communicator.size) }
        guard result.largestLogit <= Self.largestLogit else {
            throw Failure(
                .data,
                "\(queries), \(targets): logits may reach \(fixed(result.largestLogit)), more than \(fixed(Self.largestLogit)), where float64 tells no losses apart; scale the rows or raise --temperature"
            )
        }
        if let gradients { try write(result, to: gradients, k: k, queries_BE, communicator) }
        return LossSummary(result, kind: options.kind, queries: n, seconds: seconds, ranks: communicator.size)
    }

    /// N, k and E.
    private func shapes() throws -> (n: Int, k: Int, width: Int) {
        let (q, t) = (try NPYArray.shape(path: queries), try NPYArray.shape(path: targets))
        for (path, shape) in [(queries, q), (targets, t)] {
            if shape.count == 2, shape[0] == 0 {
                throw Failure(.data, "\(path): the array has no rows: its shape is \(shape)")
            }
            guard shape.count != 2 || shape[1] == 0 else { continue }
            throw Failure(
                .data, "\(path): expected a two-dimensional array of rows and columns, found one of shape \(shape)")
        }
        guard q[1] == t[1] else {
            throw Failure(.data, "\(targets): expected rows of \(q[1]) columns as in \(queries), found shape \(t)")
        }
        guard t[0] % q[0] == 0 else {
            throw Failure(
                .data, "\(targets): expected a multiple of the \(q[0]) rows of \(queries), found shape \(t)")
        }
        return (q[0], t[0] / q[0], q[1])
    }

    /// The ids of the rank's rows in every block that has ids.
    private func identities(_ rows: Range<Int>, n: Int, k: Int) throws -> [Int64]? {
        guard let ids else { return nil }
        let (shape, values) = try NPYArray.readIntegers(path: ids)
        guard shape.count == 1, values.count == n || values.count == k * n else {
            throw Failure(
                .data,
                "\(ids): expected \(k == 1 ? "\(n)" : "\(n) or \(k * n)") integers in one dimension, found shape \(shape)"
            )
        }
        return (0..<values.count / n).flatMap { values[n * $0 + rows.lowerBound..<n * $0 + rows.upperBound] }
    }

    /// Rows `rows` of each of the `blocks` blocks of `globalRows` rows in a file.
    private static func rows(
        of path: String, _ rows: Range<Int>, blocks: Int, globalRows: Int, columns: Int
    ) throws -> Floats {
        let result = Floats(count: blocks * rows.count * columns)
        guard !rows.isEmpty else { return result }
        for block in 0..<blocks {
            let start = block * globalRows
            let part = try NPYArray.readRows(path: path, start + rows.lowerBound..<start + rows.upperBound).values
            result[block * part.count..<(block + 1) * part.count].copy(from: part)
        }
        return result
    }

    /// Both gradients, in the order of the files that were read. *Collective.*
    private func write(
        _ result: LossResult, to folder: String, k: Int, _ queries_BE: ShardedArray, _ communicator: any Communicator
    ) throws {
        let files = FileManager.default
        let isNew = communicator.rank == 0 && !files.fileExists(atPath: folder)
        if communicator.rank == 0 {
            do {
                try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
            } catch {
                throw Failure(
                    .cannotCreate, "\(folder): the folder for gradients cannot be created; check its parent folder")
            }
        }
        do {
            try queries_BE.write(result.dqueries, to: folder + "/queries.npy", communicator: communicator)
            try queries_BE.write(result.dtargets, blocks: k, to: folder + "/targets.npy", communicator: communicator)
        } catch {
            // Half of the gradients are no result.
            if isNew { try? files.removeItem(atPath: folder) }
            throw error
        }
    }

    /// A rank's position in the words of the files.
    private func failure(_ position: LossResult.NonFinite, n: Int, ranks: Int) -> Failure {
        let rows = ShardedArray.rows(of: position.rank, globalRows: n, ranks: ranks)
        let row = position.row / rows.count * n + rows.lowerBound + position.row % rows.count
        switch position.place {
        case .query: return Failure(.data, "\(queries): row \(row) has an element that is not finite")
        case .target: return Failure(.data, "\(targets): row \(row) has an element that is not finite")
        case .loss: return Failure(.data, "\(queries): the loss of row \(row) is not finite; its values are too large")
        case .queryGradient, .targetGradient:
            let path = position.place == .queryGradient ? queries : targets
            return Failure(.data, "\(path): the gradient of row \(row) is not finite; the values are too large")
        }
    }
}

/// The JSON object of `fanoise loss`; the keys are a contract.
private struct LossSummary: Encodable {
    var loss: Double
    var temperature_gradient: Double
    var bias_gradient: Double
    var precision_at_1: Double
    /// N.
    var rows: Int
    /// M.
    var columns: Int
    var kind: String
    var ranks: Int
    /// Of the computation alone, without files, on the slowest rank.
    var seconds: Double
    /// Queries that were looked at, when not all.
    var sampled_rows: Int?
    /// `seconds` · N / `sampled_rows`.
    var extrapolated_seconds: Double?

    init(_ result: LossResult, kind: ContrastiveLossOptions.Kind, queries: Int, seconds: Double, ranks: Int) {
        loss = result.loss
        temperature_gradient = result.temperatureGradient
        bias_gradient = result.biasGradient
        precision_at_1 = result.precisionAt1
        rows = queries
        columns = result.columns
        self.kind = kind.rawValue
        self.ranks = ranks
        self.seconds = seconds
        if result.rows < queries {
            sampled_rows = result.rows
            extrapolated_seconds = seconds * Double(queries) / Double(result.rows)
        }
    }

    func tellPeople() {
        tell(
            """
            loss              \(fixed(loss)) (\(kind))
            Precision@1       \(fixed(precision_at_1))
            queries, targets  \(rows), \(columns); ranks \(ranks)
            seconds           \(fixed(seconds))
            """)
        if let sampled_rows, let extrapolated_seconds {
            tell("sample            \(sampled_rows) queries; all would take \(fixed(extrapolated_seconds)) s")
        }
    }
}
