// Millions of rows to embeddings, in order, resumable. Not here: encoding (SideRows), the file (ResumableNPYWriter).
//
// Shapes: E embedding width.

public import ArrayFiles
import Buffers
public import Collectives
import Datasets
import Failures
import Foundation

extension TrainedModel {
    /// How rows are embedded and written.
    public struct EmbeddingOptions: Sendable {
        public var type = RowType.float32
        /// Rows encoded at a time.
        public var chunk = 256
        /// Seconds between saves of what was done.
        public var secondsBetweenSaves = 30.0

        public init() {}
    }

    /// What became of a job.
    public struct EmbeddingSummary: Sendable {
        /// All of the input's, or those that are saved when the job was stopped.
        public var rows: Int
        /// Of them, those that an earlier process had written.
        public var resumedRows: Int
        public var seconds: Double
        /// Whether a rank was asked to stop before the end.
        public var wasStopped: Bool
    }

    /// Embeds rows and writes them in order, [rows, E]; rank 0 writes. *Collective.*
    ///
    /// Chunks go round the ranks, so that no rank holds more than a few of them. Stopped in any way, and begun again with the same
    /// model, rows and options, it goes on behind the rows that were saved, and ends with the same bytes; from anything else it says
    /// what has changed and begins anew.
    /// - Parameters:
    ///   - say: on rank 0, receives lines about progress.
    ///   - stopRequested: whether this rank has been asked to stop; if any has, all save what is done after their round and return.
    public func writeEmbeddings(
        of rows: EmbeddableRows, side: Side, to path: String, options: EmbeddingOptions = EmbeddingOptions(),
        say: (String) -> Void = { _ in }, stopRequested: @escaping () -> Bool = { StopSignals.request != 0 },
        communicator: any Communicator
    ) throws -> EmbeddingSummary {
        let start = ContinuousClock.now
        let side = try agreed(communicator) { try sideRows(rows.source, side: side, unitRows: options.chunk) }
        let writer = try agreed(communicator) { () -> ResumableNPYWriter? in
            guard communicator.rank == 0 else { return nil }
            var made = [
                "the model": identity, "the input": String(rows.fingerprint, radix: 16),
                "the side": side.units.side.rawValue, "--chunk": String(options.chunk),
                "--dtype": options.type.rawValue, "the number of rows": String(rows.count),
            ]
            made["--column"] = rows.field
            return try ResumableNPYWriter(
                path: path, rows: rows.count, columns: columns, type: options.type, made: made)
        }
        let resumed = Buffer<Int64>([Int64(writer?.resumedRows ?? 0)])
        try communicator.broadcast(resumed)
        let resumedRows = Int(resumed[0])
        if let reason = writer?.restart { say(reason) }
        if resumedRows > 0 { say("\(path): going on after \(resumedRows) of \(counted(rows.count, "row"))") }
        var job = EmbeddingRounds(
            rows: side, resumedRows: resumedRows, writer: writer, options: options, start: start,
            stopRequested: stopRequested, communicator: communicator)
        let done = try job.run(say)
        let wasStopped = done < rows.count
        try agreed(communicator) { try wasStopped ? writer?.save() : writer?.finish() }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        return EmbeddingSummary(rows: done, resumedRows: resumedRows, seconds: seconds, wasStopped: wasStopped)
    }

    /// The query side of a source as one side of this model encodes it.
    func sideRows(_ source: any PairSource, side: Side, unitRows: Int) throws -> SideRows {
        let own = side == .query ? preparation.query : preparation.target
        let rows = try PlainRows(source: source, preparation: own)
        return SideRows(embedder: embedder, units: SideUnits(side: side, source: rows, unitRows: unitRows))
    }
}

/// Round after round: each rank encodes a chunk, rank 0 appends them in order. While the embeddings of some rounds travel, the next are
/// encoded, so that a rank waits for another only when that is as many rounds behind: chunks differ, and so does what else a processor has
/// to do, and messages between ranks move on only while both are in a collective.
private struct EmbeddingRounds {
    /// Most rounds on their way, and the bytes that they may hold, unless one holds more.
    private static let mostUnderWay = 4
    private static let mostBytes = 64 << 20

    /// What stands before the embeddings of each rank.
    private enum Mark {
        static let done: Float = 0
        static let failed: Float = 1
        static let askedToStop: Float = 2
    }

    /// Embeddings on their way to rank 0, a `Mark` before those of each rank.
    private struct Round {
        let request: any CollectiveRequest
        let gathered: Floats
        let counts: [Int]
        /// Rows that are done after this round.
        let done: Int
    }

    let rows: SideRows
    let resumedRows: Int
    let writer: ResumableNPYWriter?
    let options: TrainedModel.EmbeddingOptions
    let start: ContinuousClock.Instant
    let stopRequested: () -> Bool
    let communicator: any Communicator
    /// The same ones on every rank whenever a collective begins.
    private var underWay: [Round] = []
    private var saved = ContinuousClock.now
    private var told = ContinuousClock.now
    /// What this rank has failed with, until all know.
    private var failure: (any Error)?

    init(
        rows: SideRows, resumedRows: Int, writer: ResumableNPYWriter?, options: TrainedModel.EmbeddingOptions,
        start: ContinuousClock.Instant, stopRequested: @escaping () -> Bool, communicator: any Communicator
    ) {
        (self.rows, self.resumedRows, self.writer, self.options) = (rows, resumedRows, writer, options)
        (self.start, self.stopRequested, self.communicator) = (start, stopRequested, communicator)
    }

    /// *Collective.*
    /// - Returns: rows that are done, the same on all ranks; fewer than there are when one was asked to stop.
    mutating func run(_ say: (String) -> Void) throws -> Int {
        let (rank, size, columns) = (communicator.rank, communicator.size, rows.embedder.model.columns)
        // Saves lie between chunks.
        let (units, first) = (rows.units, resumedRows / rows.units.unitRows)
        let prefetcher = rows.prefetcher(from: first + rank, by: size)
        defer { prefetcher?.stop() }
        let roundBytes = size * units.unitRows * columns * MemoryLayout<Float>.stride
        let most = max(1, min(Self.mostUnderWay, Self.mostBytes / max(roundBytes, 1)))
        var (done, isStopped) = (resumedRows, false)
        for round in stride(from: first, to: units.count, by: size) {
            let counts = (round..<round + size).map { 1 + ($0 < units.count ? units[$0].count * columns : 0) }
            let local = Floats(repeating: 0, count: counts[rank])
            if failure == nil, round + rank < units.count {
                do {
                    guard let batch = try prefetcher?.next() else {
                        throw Failure(.internal, "chunk \(round + rank) was not prepared")
                    }
                    local[1..<local.count].copy(from: try rows.embeddings(batch, of: round + rank))
                } catch { failure = error }
            }
            if underWay.count == most { (done, isStopped) = try settleFirst(say) }
            // All ranks see this here: what was encoded meanwhile stays where it is.
            if isStopped { break }
            local[0] = failure != nil ? Mark.failed : stopRequested() ? Mark.askedToStop : Mark.done
            let gathered = Floats(count: counts.reduce(0, +))
            let request = try communicator.start(
                .allGather(Payload(local), counts: counts, into: Payload(gathered)))
            let end = min((round + size) * units.unitRows, rows.count)
            underWay.append(Round(request: request, gathered: gathered, counts: counts, done: end))
        }
        // Those on their way are kept, stopped or not.
        while !underWay.isEmpty { done = try settleFirst(say).done }
        try agreed(communicator) { if let failure { throw failure } }
        return done
    }

    /// Waits for the first round on its way and appends it. *Collective.*
    /// - Returns: rows that are done with it; whether a rank was asked to stop when it had encoded it.
    /// - Throws: on every rank alike when one has failed; a failure to write here is told with the next round.
    private mutating func settleFirst(_ say: (String) -> Void) throws -> (done: Int, stops: Bool) {
        let round = underWay.removeFirst()
        try round.request.wait()
        let ends = round.counts.indices.map { round.counts[...$0].reduce(0, +) }
        let parts = zip(ends, round.counts).map { $0 - $1..<$0 }
        let marks = parts.map { round.gathered[$0.lowerBound] }
        if marks.contains(Mark.failed) {
            for round in underWay { try round.request.wait() }
            try agreed(communicator) { if let failure { throw failure } }
        }
        let result = (done: round.done, stops: marks.contains(Mark.askedToStop))
        guard failure == nil else { return result }
        do {
            for part in parts { try writer?.append(round.gathered[part.lowerBound + 1..<part.upperBound]) }
            try report(done: round.done, say)
        } catch { failure = error }
        return result
    }

    /// Saves now and then, and says how far the job is.
    private mutating func report(done: Int, _ say: (String) -> Void) throws {
        guard let writer else { return }
        let now = ContinuousClock.now
        if (now - saved) / .seconds(1) >= options.secondsBetweenSaves {
            try writer.save()
            saved = now
        }
        guard (now - told) / .seconds(1) >= 5, done < rows.count else { return }
        told = now
        let rate = Double(done - resumedRows) / max((now - start) / .seconds(1), 1e-3)
        let percent = ProgressLine.decimal(100 * Double(done) / Double(rows.count), 1)
        let left = ProgressLine.duration(Double(rows.count - done) / max(rate, 1e-9))
        say("\(done) of \(rows.count) rows (\(percent) %), \(ProgressLine.decimal(rate, 0)) a second, \(left) left")
    }
}
