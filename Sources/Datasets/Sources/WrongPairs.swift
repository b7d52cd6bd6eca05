// A source with errors of a known kind and number. Not here: real errors.

import Randomness

/// Pairs of which a share is wrong: some rows, drawn at random, have the targets of one another.
///
/// The rows drawn are dealt out in a cycle, so that each of them (where there are two or more) has a target that is not its own. A
/// function of seed and number of rows alone. A row keeps its concept, that of its query.
public struct WrongPairs: PairSource {
    private let source: any PairSource
    /// The row whose target each row has.
    private let targets: [Int]

    /// - Parameter share: of the rows, 0 … 1; their number is rounded, and one alone cannot be wrong.
    public init(_ source: any PairSource, share: Double, seed: UInt64) {
        precondition(share >= 0 && share <= 1, "a share of \(share)")
        self.source = source
        var targets = Array(0..<source.count)
        let order = RandomField(seed: seed, purpose: .wrongPairs).permutation(count: source.count)
        let drawn = order.prefix(Int((share * Double(source.count)).rounded()))
        for (row, next) in zip(drawn, drawn.dropFirst() + drawn.prefix(1)) { targets[row] = next }
        self.targets = targets
    }

    public var name: String { source.name }
    public var ids: [Int64] { source.ids }
    public var query: Column { source.query }
    public var target: Column { source.target }
    public var onError: RowErrorPolicy { source.onError }
    public var skipped: Int { source.skipped }
    public var skippedReasons: [String] { source.skippedReasons }
    public var takenFields: [TakenFields] { source.takenFields }
    public var fingerprint: UInt64 { Fingerprint.of(source, rows: targets) }
    public var parts: [SourcePart] { source.parts }
    /// Rows with a target that is not theirs.
    public var wrongRows: [Int] { targets.indices.filter { targets[$0] != $0 } }

    public func row(_ index: Int) throws -> PairRow { try row(index, alternatives: true) }

    public func row(_ index: Int, alternatives: Bool) throws -> PairRow {
        var row = try source.row(index, alternatives: alternatives)
        guard targets[index] != index else { return row }
        let other = try source.row(targets[index], alternatives: alternatives)
        (row.target, row.targetPrefix) = (other.target, other.targetPrefix)
        return row
    }
}
