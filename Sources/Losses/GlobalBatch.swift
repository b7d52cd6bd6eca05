// The gathered columns of the global batch in one number type, and the results' way back. Not here: logits (LogitTiles.swift).

import Buffers
import Collectives

/// All columns of the global batch beside this rank's rows.
///
/// Columns 0 ..< N are the positives in the order of the ranks' queries, so that the own positive of local row i is column
/// `firstRow + i`; columns N ..< M are the explicit negatives in rank order, each the negative of every query.
struct GlobalBatch<Element: LogitArithmetic> {
    let census: Census
    /// Local queries.
    let queries_BE: Buffer<Element>
    /// All targets.
    let targets_ME: Buffer<Element>
    /// nil when nothing has an id.
    let identities: EqualIdentities?
    /// E.
    let width: Int
    /// M = k·N.
    let columns: Int
    let temperature: Double
    let bias: Double

    /// B.
    var localRows: Int { census.counts[census.rank] }
    /// N.
    var rows: Int { census.rows }

    /// *Collective*: gathers targets (float32) and ids once.
    init(_ local: LocalRows, _ census: Census, _ communicator: any Communicator) throws {
        self.census = census
        width = local.columns
        columns = local.targetsPerQuery * census.rows
        temperature = local.temperature
        bias = local.bias
        queries_BE = Element.converting(local.queries_BE)
        targets_ME = Element.converting(
            try Self.gathered(local.targets_KBE, width: width, local.targetsPerQuery, census, communicator))
        identities = try Self.identities(local, census, communicator)
    }

    /// Positives of all ranks, then negatives of all ranks; alone, the shard is the batch.
    private static func gathered<Value: CollectiveElement>(
        _ values: Buffer<Value>, width: Int, _ blocks: Int, _ census: Census, _ communicator: any Communicator
    ) throws -> Buffer<Value> {
        if communicator.size == 1 { return values }
        let result = Buffer<Value>(count: blocks * census.rows * width)
        for part in Part.all(blocks) {
            let local = values[part.range(of: census.counts[census.rank] * width)]
            let counts = census.counts.map { $0 * width * part.blocks.count }
            try communicator.allGather(local, counts: counts, into: result[part.range(of: census.rows * width)])
        }
        return result
    }

    private static func identities(
        _ local: LocalRows, _ census: Census, _ communicator: any Communicator
    ) throws -> EqualIdentities? {
        guard census.identities != .none else { return nil }
        let blocks = census.identities == .all ? local.targetsPerQuery : 1
        let ids = Buffer<Int64>(local.ids.map { Array($0.prefix(blocks * local.rows)) } ?? [])
        let all = try gathered(ids, width: 1, blocks, census, communicator)
        return EqualIdentities(rows: ids.array.prefix(local.rows).map { $0 }, columns: all.array)
    }

    /// The sum over ranks of the columns' gradients, of which this rank keeps its own kB. *Collective.*
    func returned(_ dtargets_ME: Buffer<Element>, _ communicator: any Communicator) throws -> Buffer<Element> {
        if communicator.size == 1 { return dtargets_ME }
        let blocks = rows == 0 ? 1 : columns / rows
        let result = Buffer<Element>(count: blocks * localRows * width)
        for part in Part.all(blocks) {
            let counts = census.counts.map { $0 * width * part.blocks.count }
            try communicator.reduceScatter(
                dtargets_ME[part.range(of: rows * width)], counts: counts,
                into: result[part.range(of: localRows * width)])
        }
        return result
    }
}

/// Blocks of targets that travel together: the positives, or all explicit negatives.
private struct Part {
    let blocks: Range<Int>

    static func all(_ blocks: Int) -> [Part] {
        blocks == 1 ? [Part(blocks: 0..<1)] : [Part(blocks: 0..<1), Part(blocks: 1..<blocks)]
    }

    /// Its elements, when a block has `size` of them.
    func range(of size: Int) -> Range<Int> { blocks.lowerBound * size..<blocks.upperBound * size }
}
