// One collective among threads: who has come, and the work cut in pieces that any waiting rank takes. Not here: waiting (ThreadWorld.swift).

import Buffers

/// A collective of a `ThreadWorld`. Guarded by the lock of its hall, except `perform`.
final class Meeting {
    /// A part of the work; pieces of one meeting write to disjoint elements.
    enum Piece: Sendable {
        /// Folds these elements of all inputs in rank order and gives the result to all ranks.
        case reduceToAll(Range<Int>)
        /// Folds these elements of all inputs in rank order and gives the result to `owner`, whose part begins at `offset`.
        case reduceToOwner(Range<Int>, owner: Int, offset: Int)
        /// Copies elements of `source`'s contribution to all ranks, where its part begins at `offset`.
        case copyToAll(Range<Int>, source: Int, offset: Int)
    }

    let sequence: Int
    private(set) var arrivals: [Collective?]
    private(set) var reports: [RankReport?]
    private(set) var arrived = 0
    private(set) var pieces: [Piece] = []
    private var taken = 0
    private var finished = 0

    init(sequence: Int, size: Int) {
        self.sequence = sequence
        arrivals = Array(repeating: nil, count: size)
        reports = Array(repeating: nil, count: size)
    }

    var hasAll: Bool { arrived == arrivals.count }
    var isComplete: Bool { hasAll && finished == pieces.count }

    /// Takes a rank in; with the last one, compares what they said and cuts the work.
    func arrive(_ rank: Int, _ collective: Collective, _ report: RankReport, chunk: Int) throws {
        arrivals[rank] = collective
        reports[rank] = report
        arrived += 1
        guard hasAll else { return }
        if let error = CollectiveError.disagreement(reports.compactMap { $0 }) { throw error }
        cut(collective, chunk: chunk)
    }

    /// The next piece that nobody has taken.
    func take() -> Piece? {
        guard hasAll, taken < pieces.count else { return nil }
        taken += 1
        return pieces[taken - 1]
    }

    /// A taken piece is done; true when it was the last.
    func finish() -> Bool {
        finished += 1
        return finished == pieces.count
    }

    private func cut(_ collective: Collective, chunk: Int) {
        func ranges(_ whole: Range<Int>) -> [Range<Int>] {
            stride(from: whole.lowerBound, to: whole.upperBound, by: chunk).map {
                $0..<min($0 + chunk, whole.upperBound)
            }
        }
        switch collective {
        case .allReduce(let values, _): pieces = ranges(0..<values.count).map { .reduceToAll($0) }
        case .reduceScatter(_, let counts, _, _):
            let offsets = partOffsets(counts)
            for owner in counts.indices {
                pieces += ranges(offsets[owner]..<offsets[owner + 1]).map {
                    .reduceToOwner($0, owner: owner, offset: offsets[owner])
                }
            }
        case .allGather(_, let counts, _):
            let offsets = partOffsets(counts)
            for source in counts.indices {
                pieces += ranges(0..<counts[source]).map { .copyToAll($0, source: source, offset: offsets[source]) }
            }
        case .broadcast(let values, let root):
            pieces = ranges(0..<values.count).map { .copyToAll($0, source: root, offset: 0) }
        case .barrier: break
        }
    }

    /// Does the work of one piece; `arrivals` is the complete list of this meeting. Runs without the lock.
    static func perform(_ piece: Piece, _ arrivals: [Collective]) {
        switch piece {
        case .reduceToAll(let range):
            let inputs = arrivals.map(\.input)
            fold(range, inputs, arrivals[0].reduction)
            for other in inputs.dropFirst() { copy(range, of: inputs[0], to: other.at(range.lowerBound)) }
        case .reduceToOwner(let range, let owner, let offset):
            let inputs = arrivals.map(\.input)
            fold(range, inputs, arrivals[0].reduction)
            copy(range, of: inputs[0], to: arrivals[owner].output.at(range.lowerBound - offset))
        case .copyToAll(let range, let source, let offset):
            for receiver in arrivals {
                copy(range, of: arrivals[source].input, to: receiver.output.at(offset + range.lowerBound))
            }
        }
    }

    /// x₀ = ((x₀ ∘ x₁) ∘ x₂) ∘ …: in rank order, in the first rank's memory, block by block so that x₀ stays in cache.
    private static func fold(_ range: Range<Int>, _ inputs: [Payload], _ reduction: Reduction) {
        let block = 4096
        for start in stride(from: range.lowerBound, to: range.upperBound, by: block) {
            let count = min(block, range.upperBound - start)
            for other in inputs.dropFirst() {
                accumulate(other.at(start), into: inputs[0].at(start), count: count, type: other.type, reduction)
            }
        }
    }

    private static func copy(_ range: Range<Int>, of source: Payload, to target: UnsafeMutableRawPointer) {
        let origin = source.at(range.lowerBound)
        guard origin != target else { return }
        target.copyMemory(from: origin, byteCount: range.count * source.type.byteCount)
    }
}

private let nothing = Payload(Buffer<UInt8>(count: 0))

extension Collective {
    /// What this rank brings.
    fileprivate var input: Payload {
        switch self {
        case .allReduce(let values, _), .broadcast(let values, _), .reduceScatter(let values, _, _, _): values
        case .allGather(let local, _, _): local
        case .barrier: nothing
        }
    }

    /// Where this rank's result goes.
    fileprivate var output: Payload {
        switch self {
        case .allReduce(let values, _), .broadcast(let values, _): values
        case .reduceScatter(_, _, let result, _), .allGather(_, _, let result): result
        case .barrier: nothing
        }
    }

    fileprivate var reduction: Reduction {
        switch self {
        case .allReduce(_, let reduction), .reduceScatter(_, _, _, let reduction): reduction
        case .allGather, .broadcast, .barrier: .sum
        }
    }
}
