// Which token stands for a text, and which distances share a bias. Not here: averages (Kernels), the towers.

import Foundation

/// How the tokens of one sequence become one vector.
public enum Pooling: String, Sendable, CaseIterable {
    case classToken = "class_token"
    case mean
    case endOfText = "end_of_text"
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
