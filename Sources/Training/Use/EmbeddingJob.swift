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
        public var rows: Int
        /// Of them, those that an earlier process had written.
        public var resumedRows: Int
        public var seconds: Double
    }

    /// Embeds rows and writes them in order, [rows, E]; rank 0 writes. *Collective.*
    ///
    /// Chunks go round the ranks, so that no rank holds more than a few of them. Stopped in any way, and begun again with the same
    /// model, rows and options, it goes on behind the rows that were saved, and ends with the same bytes; from anything else it says
    /// what has changed and begins anew.
    /// - Parameter say: on rank 0, receives lines about progress.
    public func writeEmbeddings(
        of rows: EmbeddableRows, side: Side, to path: String, options: EmbeddingOptions = EmbeddingOptions(),
        say: (String) -> Void = { _ in }, communicator: any Communicator
    ) throws -> EmbeddingSummary {
        let start = ContinuousClock.now
        let side = try agreed(communicator) { try sideRows(rows.source, side: side, unitRows: options.chunk) }
        let writer = try agreed(communicator) { () -> ResumableNPYWriter? in
            guard communicator.rank == 0 else { return nil }
            return try ResumableNPYWriter(
                path: path, rows: rows.count, columns: columns, type: options.type,
                made: [
                    "the model": identity, "the input": String(rows.fingerprint, radix: 16),
                    "the side": side.units.side.rawValue, "--chunk": String(options.chunk),
                    "--dtype": options.type.rawValue, "the number of rows": String(rows.count),
                ])
        }
        let resumed = Buffer<Int64>([Int64(writer?.resumedRows ?? 0)])
        try communicator.broadcast(resumed)
        let resumedRows = Int(resumed[0])
        if let reason = writer?.restart { say(reason) }
        if resumedRows > 0 { say("\(path): going on after \(resumedRows) of \(rows.count) rows") }
        var job = EmbeddingRounds(
            rows: side, resumedRows: resumedRows, writer: writer, options: options, start: start,
            communicator: communicator)
        try job.run(say)
        try agreed(communicator) { try writer?.finish() }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        return EmbeddingSummary(rows: rows.count, resumedRows: resumedRows, seconds: seconds)
    }

    /// The query side of a source as one side of this model encodes it.
    func sideRows(_ source: any PairSource, side: Side, unitRows: Int) throws -> SideRows {
        let own = side == .query ? preparation.query : preparation.target
        let rows = try PlainRows(source: source, preparation: own)
        return SideRows(embedder: embedder, units: SideUnits(side: side, source: rows, unitRows: unitRows))
    }
}

/// Round after round: each rank encodes a chunk, rank 0 appends them in order.
private struct EmbeddingRounds {
    let rows: SideRows
    let resumedRows: Int
    let writer: ResumableNPYWriter?
    let options: TrainedModel.EmbeddingOptions
    let start: ContinuousClock.Instant
    let communicator: any Communicator
    private var saved = ContinuousClock.now
    private var told = ContinuousClock.now

    init(
        rows: SideRows, resumedRows: Int, writer: ResumableNPYWriter?, options: TrainedModel.EmbeddingOptions,
        start: ContinuousClock.Instant, communicator: any Communicator
    ) {
        (self.rows, self.resumedRows, self.writer, self.options) = (rows, resumedRows, writer, options)
        (self.start, self.communicator) = (start, communicator)
    }

    /// *Collective.*
    mutating func run(_ say: (String) -> Void) throws {
        let (rank, size, columns) = (communicator.rank, communicator.size, rows.embedder.model.columns)
        // Saves lie between chunks.
        let (units, first) = (rows.units, resumedRows / rows.units.unitRows)
        let prefetcher = rows.prefetcher(from: first + rank, by: size)
        defer { prefetcher?.stop() }
        for round in stride(from: first, to: units.count, by: size) {
            let local = try agreed(communicator) {
                guard round + rank < units.count, let batch = try prefetcher?.next() else { return Floats(count: 0) }
                return try rows.embeddings(batch)
            }
            let counts = (round..<round + size).map { $0 < units.count ? units[$0].count * columns : 0 }
            let all = Floats(count: counts.reduce(0, +))
            try communicator.allGather(local, counts: counts, into: all)
            let done = min((round + size) * units.unitRows, rows.count)
            try agreed(communicator) { try write(all, done: done, say) }
        }
    }

    private mutating func write(_ values: Floats, done: Int, _ say: (String) -> Void) throws {
        guard let writer else { return }
        try writer.append(values)
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
