// What every rank must know of the others before the loss: counts, agreement, extremes. Not here: the rows (GlobalBatch.swift).

import Buffers
import Collectives
import Failures

/// This rank's part of the global batch: valid rows only.
struct LocalRows {
    let queries_BE: Floats
    let targets_KBE: Floats
    let ids: [Int64]?
    let selection: RowSelection
    let columns: Int
    let targetsPerQuery: Int
    let temperature: Double
    let bias: Double

    /// B.
    var rows: Int { selection.kept.count }
}

/// The shards of the global batch, gathered once and equal on all ranks, so that all decide alike.
struct Census {
    /// Which targets have ids.
    enum Identities: Int {
        case none, positives, all
    }

    /// B of each rank.
    let counts: [Int]
    let rank: Int
    let identities: Identities
    /// The largest ‖t‖ of the global batch.
    let largestTarget: Double
    /// The largest ‖q‖ · ‖t‖ / τ of the global batch, which no logit exceeds.
    let largestLogit: Double
    /// ‖q‖ of each local row.
    let queryNorms_B: [Double]
    let usesDouble: Bool
    /// The first input that is not finite.
    let nonFinite: LossResult.NonFinite?

    /// N.
    var rows: Int { counts.reduce(0, +) }
    /// Global index of this rank's first row.
    var firstRow: Int { counts[..<rank].reduce(0, +) }

    /// *Collective*: one all-gather of a few numbers.
    /// - Throws: `Failure(.internal)` on all ranks when they disagree.
    init(_ local: LocalRows, options: ContrastiveLossOptions, communicator: any Communicator) throws {
        let queryNorms = Self.norms(local.queries_BE, columns: local.columns)
        let targetNorms = Self.norms(local.targets_KBE, columns: local.columns)
        var entry = Entry(local, options)
        entry[.largestQuery] = queryNorms.max() ?? 0
        entry[.largestTarget] = targetNorms.max() ?? 0
        if let row = queryNorms.firstIndex(where: { !$0.isFinite }) {
            entry.set(.query, local.selection.given(row))
        } else if let row = targetNorms.firstIndex(where: { !$0.isFinite }) {
            entry.set(.target, local.selection.given(row))
        }
        let all = Doubles(count: entry.values.count * communicator.size)
        try communicator.allGather(Doubles(entry.values), into: all)
        let width = entry.values.count
        let entries = (0..<communicator.size).map { Entry(values: all[$0 * width..<($0 + 1) * width].array) }
        try Self.checkAgreement(entries)

        counts = entries.map { Int($0[.rows]) }
        rank = communicator.rank
        queryNorms_B = queryNorms
        let identities = entries.first { $0[.rows] > 0 }.flatMap { Identities(rawValue: Int($0[.identities])) }
        self.identities = identities ?? .none
        nonFinite = Self.firstNonFinite(entries)
        let largestQuery = entries.reduce(0) { max($0, $1[.largestQuery]) }
        largestTarget = entries.reduce(0) { max($0, $1[.largestTarget]) }
        largestLogit = largestQuery * largestTarget / local.temperature
        let products =
            Double(counts.reduce(0, +)) * Double(counts.reduce(0, +)) * Double(options.targetsPerQuery * local.columns)
        switch options.precision {
        case .single: usesDouble = false
        case .double: usesDouble = true
        case .automatic: usesDouble = products <= 0x1p27 || largestLogit > 128.01
        }
    }

    /// The result when no sum can be taken: NaN everywhere.
    func failed(_ nonFinite: LossResult.NonFinite, _ local: LocalRows, gradients: Bool) -> LossResult {
        let count = gradients ? local.queries_BE.count : 0
        return LossResult(
            loss: .nan, dqueries: Floats(repeating: .nan, count: count),
            dtargets: Floats(repeating: .nan, count: count * local.targetsPerQuery), temperatureGradient: .nan,
            biasGradient: .nan, precisionAt1: .nan, rows: rows, columns: rows * local.targetsPerQuery,
            nonFinite: nonFinite)
    }

    /// The first rank's position, if any.
    private static func firstNonFinite(_ entries: [Entry]) -> LossResult.NonFinite? {
        for (rank, entry) in entries.enumerated() {
            guard let place = LossResult.NonFinite.Place(rawValue: Int(entry[.place])) else { continue }
            return LossResult.NonFinite(rank: rank, row: Int(entry[.row]), place: place)
        }
        return nil
    }

    private static func norms(_ values: Floats, columns: Int) -> [Double] {
        withExtendedLifetime(values) {
            (0..<values.count / columns).map { row in
                let start = values.base + row * columns
                return Float.dot(start, start, count: columns).squareRoot()
            }
        }
    }

    private static func checkAgreement(_ entries: [Entry]) throws {
        guard let first = entries.first else { return }
        let occupied = entries.indices.filter { entries[$0][.rows] > 0 }
        for rank in entries.indices {
            for field in Field.agreed where entries[rank][field] != first[field] {
                throw disagreement(field, 0, first, rank, entries[rank])
            }
        }
        for rank in occupied where entries[rank][.identities] != entries[occupied[0]][.identities] {
            throw disagreement(.identities, occupied[0], entries[occupied[0]], rank, entries[rank])
        }
    }

    private static func disagreement(_ field: Field, _ a: Int, _ entryA: Entry, _ b: Int, _ entryB: Entry) -> Failure {
        Failure(
            .internal,
            "the ranks disagree on the loss's \(field): \(entryA[field]) on rank \(a), \(entryB[field]) on rank \(b)")
    }

    // MARK: - One rank's entry

    private enum Field: Int, CaseIterable {
        case rows, identities, place, row, largestQuery, largestTarget
        case embeddingWidth, targetsPerQuery, kind, precision, temperature, bias, tile, sampledRows

        static let agreed: [Field] = [
            .embeddingWidth, .targetsPerQuery, .kind, .precision, .temperature, .bias, .tile, .sampledRows,
        ]
    }

    private struct Entry {
        var values: [Double]

        init(values: [Double]) { self.values = values }

        init(_ local: LocalRows, _ options: ContrastiveLossOptions) {
            values = Array(repeating: 0, count: Field.allCases.count)
            self[.rows] = Double(local.rows)
            let identities: Identities =
                switch local.ids?.count {
                case nil: .none
                case local.rows: .positives
                default: .all
                }
            self[.identities] = Double(identities.rawValue)
            self[.place] = -1
            self[.embeddingWidth] = Double(local.columns)
            self[.targetsPerQuery] = Double(local.targetsPerQuery)
            self[.kind] = Double(ContrastiveLossOptions.Kind.allCases.firstIndex(of: options.kind) ?? -1)
            self[.precision] = Double(ContrastiveLossOptions.Precision.allCases.firstIndex(of: options.precision) ?? -1)
            self[.temperature] = local.temperature
            self[.bias] = local.bias
            self[.tile] = Double(options.tile ?? 0)
            self[.sampledRows] = Double(options.sampledRows ?? 0)
        }

        subscript(field: Field) -> Double {
            get { values[field.rawValue] }
            set { values[field.rawValue] = newValue }
        }

        mutating func set(_ place: LossResult.NonFinite.Place, _ row: Int) {
            self[.place] = Double(place.rawValue)
            self[.row] = Double(row)
        }
    }
}
