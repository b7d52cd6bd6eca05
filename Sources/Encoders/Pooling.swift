// What stands for a text, and which distances share a bias. Not here: averages (Kernels), the towers.

import Foundation

/// How the tokens of one sequence, x_1 … x_T, become one vector.
public enum Pooling: String, Sendable, CaseIterable {
    /// x_1.
    case classToken = "class_token"
    /// Σ x_t / T.
    case mean
    /// The token that ends the text.
    case endOfText = "end_of_text"
    /// The largest element of every column.
    case maximum = "max"
    /// Σ x_t / √T.
    case rootMean = "root_mean"
    /// Σ t x_t / Σ t (Muennighoff, arXiv 2202.08904).
    case weightedMean = "weighted_mean"

    /// The weight of each row, for sums of them; nil for what is no sum.
    func weights(_ offsets: [Int]) -> [Float]? {
        guard self == .rootMean || self == .weightedMean else { return nil }
        var weights: [Float] = []
        weights.reserveCapacity(offsets.last ?? 0)
        for (start, end) in zip(offsets, offsets.dropFirst()) {
            let length = Float(end - start)
            for place in 0..<end - start {
                weights.append(
                    self == .rootMean ? 1 / length.squareRoot() : Float(place + 1) / (length * (length + 1) / 2))
            }
        }
        return weights
    }
}

/// The token that `endOfText` pooling takes.
public enum EndOfText: Sendable, Equatable {
    /// The last one.
    case last
    /// The first of this number; the text's first token where there is none.
    case first(Int32)
    /// The first with the highest number.
    case highest

    /// Row of each text's token among the packed ones.
    func rows(_ ids: [Int32], _ offsets: [Int]) -> [Int] {
        zip(offsets, offsets.dropFirst()).map { start, end in
            switch self {
            case .last: end - 1
            case .first(let id): ids[start..<end].firstIndex(of: id) ?? start
            case .highest: (start..<end).reduce(start) { ids[$1] > ids[$0] ? $1 : $0 }
            }
        }
    }
}

/// Distances of tokens grouped as in T5 (Raffel et al., arXiv 1910.10683, section 2.1) and MPNet: the nearest have a bucket each, the
/// farther ones share logarithmically wider buckets, up to a distance of 128, and both directions have half of the buckets.
enum DistanceBuckets {
    static let farthest = 128
    /// Published MPNet models have no other number, whatever rows their table has.
    static let count = 32

    /// Buckets of the distances `query − key` = 1 − length … length − 1.
    static func buckets(upTo length: Int) -> [Int] {
        (1 - length..<max(length, 1)).map { bucket(of: $0) }
    }

    static func bucket(of distance: Int) -> Int {
        let half = count / 2
        let exact = half / 2
        let first = distance < 0 ? half : 0
        guard abs(distance) >= exact else { return first + abs(distance) }
        // In float32, as the models were trained: the boundaries depend on the rounding.
        let share = Float(log(Float(abs(distance)) / Float(exact))) / Float(log(Double(farthest) / Double(exact)))
        return first + min(exact + Int(share * Float(half - exact)), half - 1)
    }
}
