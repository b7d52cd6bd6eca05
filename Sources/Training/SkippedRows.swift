// Rows that are left out because they cannot be read, counted over all ranks. Not here: replacing them (RowPreparer).

import Buffers
import Collectives
import Datasets
import Failures

/// The rows of the training data that were left out when it was opened or replaced later, on all ranks and in all parts of a run.
struct SkippedRows {
    private let source: any PairSource
    /// Row numbers that all ranks know of.
    private(set) var replaced: Set<Int>
    /// Met by this rank since the last update.
    private var new: Set<Int> = []

    /// - Parameter replaced: of the run until its last checkpoint.
    init(_ source: any PairSource, replaced: [Int] = []) {
        self.source = source
        self.replaced = Set(replaced)
    }

    var count: Int { source.skipped + replaced.count }

    /// Takes down what this rank has met. Local.
    mutating func note(_ rows: Set<Int>) { new.formUnion(rows.subtracting(replaced)) }

    /// Brings together what the ranks have met. *Collective.*
    /// - Throws: on every rank alike, `Failure(.data)` when they are more than the share allowed.
    mutating func update(_ communicator: any Communicator) throws {
        guard case .skip(let share) = source.onError else { return }
        let own = Buffer<Int64>(new.sorted().map { Int64($0) })
        let counts = try communicator.allGather(own.count)
        let all = Buffer<Int64>(count: counts.reduce(0, +))
        try communicator.allGather(own, counts: counts, into: all)
        replaced.formUnion(all.array.map { Int($0) })
        new = []
        let rows = source.count + source.skipped
        guard Double(count) <= share * Double(rows) else {
            throw Failure(
                .data,
                "\(count) of \(rows) rows cannot be read, more than data.max_skipped, \(share), allows; look at the rows, or raise it"
            )
        }
    }
}
