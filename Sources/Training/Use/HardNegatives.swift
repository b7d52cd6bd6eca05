// Texts that a model takes for answers and are none. Not here: which of them are taken (NegativeRules), nearest rows (NearestRows).
//
// Shapes: Q queries of a round, E embedding width.

import ArrayFiles
import Buffers
public import Collectives
import Datasets
import Failures
import Foundation
import Kernels

/// What mining has found.
public struct MiningReport: Sendable, Encodable {
    public var rows: Int
    public var queries: Int
    /// Different texts among which negatives were looked for.
    public var candidates: Int
    public var negatives: Int
    public var excluded: NegativeRules.Exclusions

    /// For people.
    public var summary: String {
        "\(counted(negatives, "negative")) for \(counted(queries, "query", plural: "queries")) (\(counted(rows, "row"))) among "
            + "\(counted(candidates, "text")); \(excluded.summary)"
    }
}

extension TrainedModel {
    /// Writes the pairs of a file with negatives that this model places near their queries: JSONL with the fields of the pairs and
    /// `negatives`. *Collective*; what is written does not depend on the number of ranks.
    ///
    /// Candidates are the different texts of the targets, each of a list, and of a corpus. A query's positives are all texts of the
    /// targets of all rows with its text or one of its ids. Ranks share the candidates, whose embeddings stay in memory; queries come by
    /// chunks.
    /// - Parameters:
    ///   - corpus: more candidates: one text a line, or data with the target's field.
    ///   - say: on rank 0, receives lines about progress.
    /// - Throws: `Failure(.usage)` when a side is not text.
    public func mineNegatives(
        _ path: String, corpus: String?, rules: NegativeRules, to output: String, chunk: Int,
        say: (String) -> Void = { _ in }, communicator: any Communicator
    ) throws -> MiningReport {
        let task = try agreed(communicator) {
            try MiningTask(path, corpus: corpus, rules: rules, model: self, chunk: chunk)
        }
        let file = try agreed(communicator) { communicator.rank == 0 ? try OutputFile(path: output) : nil }
        say("\(counted(task.queryTexts.count, "query", plural: "queries")), \(counted(task.texts.count, "candidate"))")
        var found: [[Int32]] = []
        var excluded = NegativeRules.Exclusions()
        let shard = try MiningShard(task, communicator)
        let round = chunk * communicator.size
        for first in stride(from: 0, to: task.queryTexts.count, by: round) {
            let queries = first..<min(first + round, task.queryTexts.count)
            for (offset, candidates) in try shard.search(queries).enumerated() {
                let query = queries.lowerBound + offset
                found.append(
                    rules.choose(
                        candidates.best, query: query, positives: task.positives[query], own: task.own[query],
                        lowest: candidates.lowest, range: task.range, &excluded
                    ).map { Int32($0.row) })
            }
        }
        try agreed(communicator) {
            guard let file else { return }
            for row in 0..<task.pairs.count {
                try task.line(row, negatives: found).withUnsafeBytes { try file.write($0) }
            }
            try file.commit()
        }
        return MiningReport(
            rows: task.pairs.count, queries: found.count, candidates: task.texts.count,
            negatives: found.reduce(0) { $0 + $1.count }, excluded: excluded)
    }
}

/// The pairs, their different queries, and the candidates.
private struct MiningTask {
    let pairs: any PairSource
    /// The different queries, in the order of the rows, and the query of each row.
    let queryTexts: [String]
    private let queryOfRow: [Int]
    /// The different candidates: those of the corpus first.
    let texts: [String]
    /// Candidates that belong to each query.
    let positives: [Set<Int>]
    /// The candidate that is each query's own text.
    let own: [Int?]
    /// Candidates that a query looks at.
    let range: Int
    /// Nearest texts that are found for a query.
    let depth: Int
    let queries: SideRows
    let candidates: SideRows
    private let names: (query: String, target: String)

    init(_ path: String, corpus: String?, rules: NegativeRules, model: TrainedModel, chunk: Int) throws {
        for side in Side.allCases where model.configuration.column(side).kind != .text {
            throw Failure(.usage, "negatives are mined among texts; the \(side.rawValue) side of this model has none")
        }
        pairs = try model.configuration.evaluationSource(path)
        var queries = Distinct()
        var candidates = Distinct()
        if let corpus {
            let rows = try model.rows(of: corpus, side: .target).source
            for row in 0..<rows.count {
                let content = try rows.row(row, alternatives: false)
                for text in try Self.texts(content.query, content.place) { _ = candidates.place(text) }
            }
        }
        var (queryOfRow, targetsOfRow): ([Int], [[Int]]) = ([], [])
        for row in 0..<pairs.count {
            let pair = try pairs.row(row, alternatives: false)
            queryOfRow.append(queries.place(try Self.texts(pair.query, pair.place)[0]))
            targetsOfRow.append(try Self.texts(pair.target, pair.place).map { candidates.place($0) })
        }
        var byID: [Int64: Set<Int>] = [:]
        for (row, id) in pairs.ids.enumerated() { byID[id, default: []].formUnion(targetsOfRow[row]) }
        var positives = [Set<Int>](repeating: [], count: queries.texts.count)
        for (row, id) in pairs.ids.enumerated() { positives[queryOfRow[row]].formUnion(byID[id] ?? []) }
        let places = candidates.places
        (queryTexts, texts, self.queryOfRow, self.positives) = (queries.texts, candidates.texts, queryOfRow, positives)
        own = queries.texts.map { places[$0] }
        let most = positives.map(\.count).max() ?? 0
        range = rules.range(positives: most)
        guard rules.rangeMin + rules.count <= range else {
            throw Failure(
                .usage, "a range of \(rules.rangeMin):\(range) has no room for \(rules.count) negatives; widen --range")
        }
        depth = min(range + most, candidates.texts.count)
        func sideRows(_ texts: [String], _ side: Side) throws -> SideRows {
            let rows = InlineSource(
                texts.map { (side: PairSide.text($0, alternatives: []), place: path) }, kind: .text,
                prefix: model.configuration.column(side).prefix)
            return try model.sideRows(rows, side: side, unitRows: chunk)
        }
        self.queries = try sideRows(queries.texts, .query)
        self.candidates = try sideRows(candidates.texts, .target)
        names = (
            model.configuration.fieldName(.query, of: pairs), model.configuration.fieldName(.target, of: pairs)
        )
    }

    /// A row of the output: a line of JSON.
    func line(_ row: Int, negatives: [[Int32]]) throws -> [UInt8] {
        let pair = try pairs.row(row, alternatives: false)
        let query = queryOfRow[row]
        var document: String?
        var object: [String: Field] = [
            names.query: Self.field(names.query, pair.query),
            "negatives": .texts(negatives[query].map { texts[Int($0)] }),
        ]
        switch pair.concept {
        case .id(let id): object["id"] = .text(id)
        case .number(let digits): object["id"] = Int64(digits).map { .number($0) }
        case .document(let id): document = id
        case nil: break
        }
        object[names.target] = Self.field(names.target, pair.target, document: document)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(object)) + [UInt8(ascii: "\n")]
    }

    /// A side's texts, one or more.
    /// - Throws: `Failure(.data)` when it is no text.
    private static func texts(_ side: PairSide, _ place: String) throws -> [String] {
        guard !side.texts.isEmpty else {
            throw Failure(.data, "\(place): the row holds no text, and negatives are mined among texts")
        }
        return side.texts
    }

    /// A side as a field that is read again as what it was.
    /// - Parameter document: the id of the first text's document, where it has one.
    private static func field(_ name: String, _ side: PairSide, document: String? = nil) -> Field {
        switch side {
        case .picture, .features: preconditionFailure("the field \(name) holds no text")
        case .text(let text, _) where document == nil: return .text(text)
        case .choice(let texts) where document == nil && isChoiceField(name): return .texts(texts)
        case .text, .choice:
            var passages = side.texts.map { ["text": $0] }
            passages[0]["docid"] = document
            return .passages(passages)
        }
    }

    private enum Field: Encodable {
        case number(Int64)
        case text(String)
        case texts([String])
        case passages([[String: String]])

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .number(let value): try container.encode(value)
            case .text(let value): try container.encode(value)
            case .texts(let values): try container.encode(values)
            case .passages(let values): try container.encode(values)
            }
        }
    }
}

/// Different texts, in the order in which they came.
private struct Distinct {
    var places: [String: Int] = [:]
    var texts: [String] = []

    mutating func place(_ text: String) -> Int {
        if let place = places[text] { return place }
        places[text] = texts.count
        texts.append(text)
        return texts.count - 1
    }
}

/// This rank's candidates with their embeddings.
private struct MiningShard {
    private let task: MiningTask
    private let communicator: any Communicator
    private var units: [(rows: Range<Int>, values: Floats)] = []

    /// *Collective.*
    init(_ task: MiningTask, _ communicator: any Communicator) throws {
        self.task = task
        self.communicator = communicator
        var units: [(rows: Range<Int>, values: Floats)] = []
        try agreed(communicator) {
            try task.candidates.forEachUnit(from: communicator.rank, by: communicator.size) { units.append(($0, $1)) }
        }
        self.units = units
    }

    /// Of each of a range of queries the nearest candidates, and the lowest score of its positives. *Collective.*
    /// - Precondition: the range begins with a unit.
    func search(_ queries: Range<Int>) throws -> [(best: [BestRows.Entry], lowest: Float)] {
        let columns = task.queries.embedder.model.columns
        let values = Floats(repeating: 0, count: queries.count * columns)
        let first = queries.lowerBound / task.queries.units.unitRows
        try agreed(communicator) {
            let unit = first + communicator.rank
            guard unit < task.queries.units.count else { return }
            let rows = task.queries.units[unit]
            let own = try task.queries.embeddings(try task.queries.units.prepare(unit), of: unit)
            values[(rows.lowerBound - queries.lowerBound) * columns..<(rows.upperBound - queries.lowerBound) * columns]
                .copy(from: own)
        }
        try communicator.allReduce(values)
        var search = NearestRows(queries: values, columns: columns, depth: task.depth)
        let lowest = Floats(repeating: .infinity, count: queries.count)
        let wanted = queries.map { task.positives[$0] }
        for unit in units {
            for start in stride(from: 0, to: unit.rows.count, by: NearestRows.tileRows) {
                let part = start..<min(start + NearestRows.tileRows, unit.rows.count)
                search.add(
                    unit.values[part.lowerBound * columns..<part.upperBound * columns],
                    firstRow: unit.rows.lowerBound + start)
            }
            for (query, positives) in wanted.enumerated() {
                for row in positives where unit.rows.contains(row) {
                    let place = row - unit.rows.lowerBound
                    let score = dot(
                        values[query * columns..<(query + 1) * columns],
                        unit.values[place * columns..<(place + 1) * columns])
                    lowest[query] = min(lowest[query], Float(score))
                }
            }
        }
        try communicator.allReduce(lowest, .minimum)
        let best = try search.best.merged(communicator)
        return queries.indices.map { index in
            let query = index - queries.lowerBound
            return (best.sorted(query: query), lowest[query])
        }
    }
}
