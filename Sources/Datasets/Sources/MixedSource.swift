// Several sources as one. Not here: how often rows of each are drawn (GlobalSampler).

import Failures

/// The rows of sources one behind the other. Equal ids are one concept wherever they stand.
public struct MixedSource: PairSource {
    public let name: String
    public let ids: [Int64]
    public let query: Column
    public let target: Column
    public let onError: RowErrorPolicy
    public let skipped: Int
    public let skippedReasons: [String]
    public let fingerprint: UInt64
    public let parts: [SourcePart]
    public var takenFields: [TakenFields] { sources.flatMap(\.takenFields) }
    private let sources: [any PairSource]

    /// - Precondition: at least one source, none of them a mixture, all with sides of the same kinds.
    public init(_ sources: [any PairSource]) {
        precondition(!sources.isEmpty, "a mixture of nothing")
        precondition(
            sources.allSatisfy {
                $0.query.kind == sources[0].query.kind && $0.target.kind == sources[0].target.kind
                    && $0.parts.count == 1
            }, "sources of different kinds")
        self.sources = sources
        name = sources.map(\.name).joined(separator: ", ")
        ids = sources.flatMap(\.ids)
        (query, target, onError) = (sources[0].query, sources[0].target, sources[0].onError)
        skipped = sources.reduce(0) { $0 + $1.skipped }
        skippedReasons = Array(sources.flatMap(\.skippedReasons).prefix(10))
        var fingerprint = Fingerprint()
        var parts: [SourcePart] = []
        for source in sources {
            fingerprint.add(Int(bitPattern: UInt(source.fingerprint)))
            let first = parts.last?.rows.upperBound ?? 0
            let negatives = source.parts.map(\.maximumNegatives).max() ?? 0
            parts.append(SourcePart(rows: first..<first + source.count, maximumNegatives: negatives))
        }
        self.fingerprint = fingerprint.value
        self.parts = parts
    }

    public func row(_ index: Int) throws -> PairRow { try row(index, alternatives: true) }

    public func row(_ index: Int, alternatives: Bool) throws -> PairRow {
        precondition(ids.indices.contains(index), "row \(index) of \(ids.count)")
        let part = parts.lastIndex { $0.rows.lowerBound <= index } ?? 0
        return try sources[part].row(index - parts[part].rows.lowerBound, alternatives: alternatives)
    }
}
