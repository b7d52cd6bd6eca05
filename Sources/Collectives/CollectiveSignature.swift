// What a rank says about a collective: for messages, for comparing ranks, and as sixteen words on the wire. Not here: the data.

/// Kind, type, counts, root and reduction of one collective; equal on all ranks when the program is right.
struct CollectiveSignature: Equatable, Sendable {
    enum Kind: Int64, Sendable { case none, allReduce, allGather, reduceScatter, broadcast, barrier, finish }

    var kind: Kind
    var type = ElementType.uint8
    var reduction: Reduction?
    var root: Int?
    /// Elements of the whole: of the vector, or of all contributions together.
    var count = 0
    /// The first counts of an uneven collective, as many as travel.
    var firstCounts: [Int] = []
    /// A digest of all counts, for worlds too large for `firstCounts`.
    var countsDigest: Int64 = 0

    private static let carriedCounts = 4

    init(kind: Kind) { self.kind = kind }

    init(_ collective: Collective) {
        switch collective {
        case .allReduce(let values, let reduction):
            self.init(kind: .allReduce)
            (type, count, self.reduction) = (values.type, values.count, reduction)
        case .allGather(_, let counts, let result):
            self.init(kind: .allGather)
            (type, count) = (result.type, result.count)
            record(counts)
        case .reduceScatter(let values, let counts, _, let reduction):
            self.init(kind: .reduceScatter)
            (type, count, self.reduction) = (values.type, values.count, reduction)
            record(counts)
        case .broadcast(let values, let root):
            self.init(kind: .broadcast)
            (type, count, self.root) = (values.type, values.count, root)
        case .barrier: self.init(kind: .barrier)
        }
    }

    private mutating func record(_ counts: [Int]) {
        firstCounts = Array(counts.prefix(Self.carriedCounts))
        // FNV-1a over the counts; equal counts give equal digests on every machine.
        let digest = counts.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
            ($0 ^ UInt64(bitPattern: Int64($1))) &* 0x100_0000_01b3
        }
        countsDigest = Int64(bitPattern: digest)
    }

    /// `allReduce #345 of 4096 float32`.
    func title(_ sequence: Int) -> String {
        switch kind {
        case .none: "no collective"
        case .barrier: "barrier #\(sequence)"
        case .finish: "the end of the job"
        default: "\(kind) #\(sequence) of \(count) \(type)"
        }
    }

    /// `allGather #340`.
    func shortTitle(_ sequence: Int) -> String {
        kind == .none || kind == .finish ? title(sequence) : "\(kind) #\(sequence)"
    }

    /// `reduceScatter(sum) of 7 float32 in parts of 3, 4`.
    var detail: String {
        switch kind {
        case .none, .barrier, .finish: return title(0).replacing(" #0", with: "")
        default:
            let how = reduction.map { "(\($0))" } ?? root.map { "(from rank \($0))" } ?? ""
            let parts = firstCounts.map { "\($0)" }.joined(separator: ", ")
            let digest =
                firstCounts.count == Self.carriedCounts
                ? "… (digest \(String(UInt64(bitPattern: countsDigest), radix: 16)))" : ""
            return "\(kind)\(how) of \(count) \(type)" + (parts.isEmpty ? "" : " in parts of \(parts)\(digest)")
        }
    }
}

/// Where a rank is: the collective that it started last.
struct RankReport: Equatable, Sendable {
    static let wordCount = 16

    /// Number of that collective, from 1; 0 before the first.
    var sequence = 0
    var step = 0
    var signature = CollectiveSignature(kind: .none)

    /// `last seen in allGather #340, step 11`.
    var lastSeen: String {
        switch signature.kind {
        case .none: "has started no collective"
        case .finish: "has ended, after \(sequence) collectives"
        default: "last seen in \(signature.shortTitle(sequence)), step \(step)"
        }
    }

    /// Sixteen words for the wire.
    var words: [Int64] {
        let counts = signature.firstCounts.map { Int64($0) } + Array(repeating: -1, count: 4)
        return [
            Int64(sequence), Int64(step), signature.kind.rawValue, Int64(signature.type.rawValue),
            signature.reduction.map { Int64($0.rawValue) } ?? -1, signature.root.map { Int64($0) } ?? -1,
            Int64(signature.count), signature.countsDigest, counts[0], counts[1], counts[2], counts[3], 0, 0, 0, 0,
        ]
    }

    init(sequence: Int = 0, step: Int = 0, signature: CollectiveSignature = CollectiveSignature(kind: .none)) {
        self.sequence = sequence
        self.step = step
        self.signature = signature
    }

    /// Reads what `words` wrote.
    init(words: [Int64]) {
        sequence = Int(words[0])
        step = Int(words[1])
        signature = CollectiveSignature(kind: CollectiveSignature.Kind(rawValue: words[2]) ?? .none)
        signature.type = ElementType(rawValue: Int32(truncatingIfNeeded: words[3])) ?? .uint8
        signature.reduction = Reduction(rawValue: Int32(truncatingIfNeeded: words[4]))
        signature.root = words[5] < 0 ? nil : Int(words[5])
        signature.count = Int(words[6])
        signature.countsDigest = words[7]
        signature.firstCounts = words[8..<12].filter { $0 >= 0 }.map { Int($0) }
    }
}

extension CollectiveError {
    /// The ranks called different things. Lists every version with its ranks; nil when all agree.
    static func disagreement(_ reports: [RankReport]) -> CollectiveError? {
        guard let first = reports.first,
            reports.contains(where: { $0.signature != first.signature || $0.sequence != first.sequence })
        else {
            return nil
        }
        var versions: [(report: RankReport, ranks: [Int])] = []
        for (rank, report) in reports.enumerated() {
            if let index = versions.firstIndex(where: {
                $0.report.signature == report.signature && $0.report.sequence == report.sequence
                    && $0.report.step == report.step
            }) {
                versions[index].ranks.append(rank)
            } else {
                versions.append((report, [rank]))
            }
        }
        let said = versions.map { version in
            let ranks = version.ranks.map { "\($0)" }.joined(separator: ", ")
            let where_ =
                version.report.sequence == first.sequence && version.report.step == first.step
                ? "" : " (as #\(version.report.sequence), step \(version.report.step))"
            return
                "\(version.ranks.count == 1 ? "rank" : "ranks") \(ranks): \(version.report.signature.detail)\(where_)"
        }
        return CollectiveError(
            .disagreement,
            "step \(first.step): the ranks disagree on collective #\(first.sequence): " + said.joined(separator: "; "))
    }

    /// The deadline has passed: names the ranks that have not arrived.
    static func deadline(_ report: RankReport, waited: Duration, missing: [String]) -> CollectiveError {
        let who =
            missing.isEmpty
            ? "all ranks have arrived, yet it does not complete"
            : "not arrived: \(missing.joined(separator: ", "))"
        return CollectiveError(
            .deadline, "step \(report.step): \(report.signature.title(report.sequence)) waited \(waited.text); \(who)")
    }
}
