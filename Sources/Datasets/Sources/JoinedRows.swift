// The rows of several sources one behind the other. Not here: mixtures for training.

/// Sources of the same kind as one, in their order.
public struct JoinedRows: PairSource {
    private let sources: [any PairSource]
    /// Where each source begins, and the end of the last.
    private let starts: [Int]
    public let ids: [Int64]

    /// - Precondition: there is a source.
    public init(_ sources: [any PairSource]) {
        precondition(!sources.isEmpty, "no sources to join")
        self.sources = sources
        starts = sources.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1.count) }
        ids = sources.flatMap(\.ids)
    }

    public var query: Column { sources[0].query }
    public var target: Column { sources[0].target }
    public var onError: RowErrorPolicy { sources[0].onError }
    public var skipped: Int { sources.reduce(0) { $0 + $1.skipped } }
    public func row(_ index: Int) throws -> PairRow {
        let source = starts.indices.dropLast().last { starts[$0] <= index && index < starts[$0 + 1] } ?? 0
        return try sources[source].row(index - starts[source], alternatives: false)
    }
}
