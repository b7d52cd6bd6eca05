// This rank's columns of the global batch and the rows that meet them, in one number type. Not here: logits (LogitTiles.swift).

import Buffers
import Collectives

/// This rank's columns, which stay here, beside its rows, which visit all ranks.
///
/// Columns 0 ..< B are the positives of the local queries, so that the own positive of local row i is column i; columns B ..< kB are
/// the explicit negatives, each the negative of every query of the global batch.
struct GlobalBatch<Element: LogitArithmetic> {
    let census: Census
    /// Local queries.
    let queries_BE: Buffer<Element>
    /// Local targets.
    let targets_KBE: Buffer<Element>
    /// nil when nothing has an id.
    let identities: EqualIdentities?
    /// E.
    let width: Int
    /// k.
    let targetsPerQuery: Int
    let temperature: Double
    let bias: Double

    /// B.
    var localRows: Int { census.counts[census.rank] }
    /// kB.
    var localColumns: Int { targetsPerQuery * localRows }
    /// N.
    var rows: Int { census.rows }
    /// M = k·N.
    var columns: Int { targetsPerQuery * census.rows }

    /// *Collective* when there are ids: gathers those of the queries.
    init(_ local: LocalRows, _ census: Census, _ communicator: any Communicator) throws {
        self.census = census
        width = local.columns
        targetsPerQuery = local.targetsPerQuery
        temperature = local.temperature
        bias = local.bias
        queries_BE = Element.converting(local.queries_BE)
        targets_KBE = Element.converting(local.targets_KBE)
        guard census.identities != .none else {
            identities = nil
            return
        }
        let blocks = census.identities == .all ? local.targetsPerQuery : 1
        let ids = (local.ids ?? []).prefix(blocks * local.rows)
        let rows = Buffer<Int64>(count: census.rows)
        try communicator.allGather(Buffer<Int64>(Array(ids.prefix(local.rows))), counts: census.counts, into: rows)
        identities = EqualIdentities(rows: rows.array, columns: Array(ids))
    }
}

/// A strip's rows on this rank, and this rank's part of their gradients.
struct VisitingRows<Element: LogitArithmetic> {
    let strip: Strip
    let queries_SE: Buffer<Element>
    /// 0 at first.
    let dqueries_SE: Buffer<Element>

    /// Gathers the strip's rows; alone, the local rows and their gradients are used where they are. *Collective.*
    init(_ strip: Strip, for sums: LossSums<Element>, _ communicator: any Communicator) throws {
        self.strip = strip
        let batch = sums.batch
        let own = strip.local.lowerBound * batch.width..<strip.local.upperBound * batch.width
        if communicator.size == 1 {
            queries_SE = batch.queries_BE[own]
            dqueries_SE = sums.wantsGradients ? sums.dqueries_BE[own] : sums.dqueries_BE
            return
        }
        queries_SE = Buffer(count: strip.rows * batch.width)
        let counts = strip.counts.map { $0 * batch.width }
        try communicator.allGather(batch.queries_BE[own], counts: counts, into: queries_SE)
        dqueries_SE = Buffer(repeating: 0, count: sums.wantsGradients ? queries_SE.count : 0)
    }

    /// Adds up the ranks' parts; each keeps its own rows'. *Collective.*
    func leave(into sums: LossSums<Element>, _ communicator: any Communicator) throws {
        guard communicator.size > 1 else { return }
        let width = sums.batch.width
        let own = strip.local.lowerBound * width..<strip.local.upperBound * width
        try communicator.reduceScatter(
            dqueries_SE, counts: strip.counts.map { $0 * width }, into: sums.dqueries_BE[own])
    }
}
