// The shape of the embedding cloud. Not here: retrieval.
//
// Shapes: B local pairs, N global pairs, E embedding width.

import Buffers
import Collectives
import FANoise
import Foundation
import Kernels

/// Alignment and uniformity (Wang & Isola, "Understanding Contrastive Representation Learning through Alignment and Uniformity on
/// the Hypersphere", arXiv 2005.10242) and the effective rank of unit embeddings.
public struct EmbeddingGeometry: Sendable, Equatable, Codable {
    /// Mean ‖z_i − w_i‖² over positive pairs; 0 is perfect.
    public var alignment: Double
    /// ln mean_{i<j} exp(−2 ‖z_i − z_j‖²) of the queries and of the targets, averaged; lower is more uniform.
    public var uniformity: Double
    /// exp of the entropy of the normalised singular values of the queries (Roy & Vetterli 2007).
    public var effectiveRank: Double

    enum CodingKeys: String, CodingKey {
        case alignment, uniformity
        case effectiveRank = "effective_rank"
    }
}

extension EmbeddingGeometry {
    /// Of pairs sharded over ranks; `allQueries` and `allTargets` are the gathered rows, the same on every rank. *Collective.*
    init(
        queries: Floats, targets: Floats, allQueries: Floats, allTargets: Floats, columns: Int, firstRow: Int,
        communicator: any Communicator, beforeChunk: () throws -> Void = {}
    ) throws {
        let rows = queries.count / columns
        let all = allQueries.count / columns
        var distance = 0.0
        for index in 0..<queries.count {
            let difference = Double(queries.base[index] - targets.base[index])
            distance += difference * difference
        }
        let potentials = try agreed(communicator) {
            (
                try potential(queries, against: allQueries, columns: columns, firstRow: firstRow, beforeChunk),
                try potential(targets, against: allTargets, columns: columns, firstRow: firstRow, beforeChunk)
            )
        }
        let sums = Doubles([distance, potentials.0, potentials.1, Double(rows)])
        try communicator.allReduce(sums)
        let pairs = Double(all) * Double(all - 1)
        alignment = sums[3] > 0 ? sums[0] / sums[3] : 0
        uniformity = pairs > 0 ? (Foundation.log(sums[1] / pairs) + Foundation.log(sums[2] / pairs)) / 2 : 0
        effectiveRank = try Spectrum.measure(
            queries, rows: rows, columns: columns, firstRow: firstRow, globalRows: all, communicator: communicator
        ).effectiveRank
    }
}

/// Σ exp(−2 ‖z_i − z_j‖²) over local rows i and all other rows j, for unit rows: ‖z_i − z_j‖² = 2 − 2 z_i·z_j.
private func potential(
    _ local: Floats, against all: Floats, columns: Int, firstRow: Int, chunk: Int = 256,
    _ beforeChunk: () throws -> Void
) rethrows -> Double {
    let (rows, items) = (local.count / columns, all.count / columns)
    let products = Floats(count: min(chunk, max(rows, 1)) * items)
    var sum = 0.0
    for first in stride(from: 0, to: rows, by: chunk) {
        try beforeChunk()
        let count = min(chunk, rows - first)
        gemm(
            Matrix(local, offset: first * columns, rows: count, columns: columns), .none,
            Matrix(all, rows: items, columns: columns), .transposed,
            into: Matrix(products, rows: count, columns: items))
        for row in 0..<count {
            let values = products.base + row * items
            for item in 0..<items where item != firstRow + first + row {
                sum += Double(Foundation.exp(4 * values[item] - 4))
            }
        }
    }
    return sum
}
