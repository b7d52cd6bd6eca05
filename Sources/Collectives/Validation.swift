// What a caller owes to a collective, checked on its own rank before anything travels. Not here: whether ranks agree.

extension Payload {
    /// Where element `index` begins.
    func at(_ index: Int) -> UnsafeMutableRawPointer { address + index * type.byteCount }

    /// Whether the two regions share a byte.
    func overlaps(_ other: Payload) -> Bool {
        address < other.at(other.count) && other.address < at(count)
    }
}

/// Where rank r's part begins: `offsets[r] = Σ_{q<r} counts[q]`; one more than ranks, the last is the sum.
func partOffsets(_ counts: [Int]) -> [Int] {
    var offsets = [0]
    offsets.reserveCapacity(counts.count + 1)
    for count in counts { offsets.append(offsets[offsets.count - 1] + count) }
    return offsets
}

extension Collective {
    /// Stops the program when counts, types or the root contradict each other on this rank.
    func validate(rank: Int, size: Int) {
        switch self {
        case .allReduce, .barrier: break
        case .broadcast(_, let root):
            precondition(root >= 0 && root < size, "broadcast from rank \(root) in a world of \(size)")
        case .allGather(let local, let counts, let result):
            Self.validate("allGather", whole: result, part: local, counts: counts, rank: rank, size: size)
        case .reduceScatter(let values, let counts, let result, _):
            Self.validate("reduceScatter", whole: values, part: result, counts: counts, rank: rank, size: size)
        }
    }

    private static func validate(_ name: String, whole: Payload, part: Payload, counts: [Int], rank: Int, size: Int) {
        precondition(counts.count == size, "\(name): \(counts.count) counts in a world of \(size)")
        precondition(counts.allSatisfy { $0 >= 0 }, "\(name): negative counts \(counts)")
        precondition(whole.type == part.type, "\(name): whole of \(whole.type), part of \(part.type)")
        precondition(
            part.count == counts[rank],
            "\(name): rank \(rank)'s part has \(part.count) elements, its count is \(counts[rank])")
        let offsets = partOffsets(counts)
        precondition(
            whole.count == offsets[size],
            "\(name): the whole has \(whole.count) elements, counts \(counts) make \(offsets[size])")
        precondition(
            !whole.overlaps(part) || part.address == whole.at(offsets[rank]),
            "\(name): part and whole overlap, but the part does not lie at element \(offsets[rank]), its place")
    }
}
