// Which picture of which emoji goes into which set. Not here: drawing the pictures, writing the files.

/// The three sets of an emoji data set.
public enum EmojiSet: String, Sendable, CaseIterable, Codable {
    /// What a model is trained on.
    case train
    /// A: emojis of the training set in a drawing of theirs that was never trained on.
    case seen
    /// B: emojis of which neither picture nor caption was ever trained on, each in the first drawing that has it.
    case unseen
    /// The other drawings of B's emojis.
    case unseenOther = "unseen-other"
}

/// The assignment of drawn pictures to sets.
///
/// Pixel for pixel identical pictures of different emojis (the flags of Norway and Svalbard) cannot be told apart: those emojis
/// get one shared `id`, so that they are right for each other, and their bases are treated as one. No picture of `seen` or
/// `unseen` occurs in `train`, whichever emoji it stands for.
struct EmojiPlan: Sendable {
    /// One picture in one set.
    struct Row: Sendable, Equatable {
        let concept: Int
        let drawing: Int
        let set: EmojiSet
    }

    /// Identity of each emoji: the key of the first emoji among those that share a picture.
    let ids: [String]
    /// Base of each emoji after joining the bases of identical pictures.
    let bases: [String]
    /// By emoji, then drawing, in the order of the lists.
    let rows: [Row]

    /// - Parameters:
    ///   - concepts: emojis in Unicode's order.
    ///   - hashes: for each emoji the hash of its picture in each drawing, nil where there is none.
    ///   - drawings: name of each drawing, and whether it may be held out for set A.
    init(concepts: [EmojiConcept], hashes: [[UInt64?]], drawings: [(name: String, isColour: Bool)], split: EmojiSplit) {
        (ids, bases) = Self.identities(concepts, hashes)
        var planned: [Row] = []
        var held: [String: Set<Int>] = [:]
        for (index, concept) in concepts.enumerated() where !concept.hasSkinTone {
            let available = hashes[index].indices.filter { hashes[index][$0] != nil }
            let base = bases[index]
            if split.isUnseen(base: base) {
                planned += available.map {
                    Row(concept: index, drawing: $0, set: $0 == available[0] ? .unseen : .unseenOther)
                }
                continue
            }
            let painted = available.filter { drawings[$0].isColour }
            let name = split.heldOutDrawing(base: base, among: painted.map { drawings[$0].name })
            for drawing in available {
                let isHeld = drawings[drawing].name == name
                if isHeld { held[base, default: []].insert(drawing) }
                planned.append(Row(concept: index, drawing: drawing, set: isHeld ? .seen : .train))
            }
        }
        // A skin tone changes little of a picture: where a drawing is asked for in set A, its skin tones are not trained on.
        for (index, concept) in concepts.enumerated() where concept.hasSkinTone && !split.isUnseen(base: bases[index]) {
            for drawing in hashes[index].indices where hashes[index][drawing] != nil {
                if held[bases[index]]?.contains(drawing) == true { continue }
                planned.append(Row(concept: index, drawing: drawing, set: .train))
            }
        }
        rows = Self.withoutLeaks(planned, hashes).sorted { ($0.concept, $0.drawing) < ($1.concept, $1.drawing) }
    }

    /// Joins emojis with equal pictures in any one drawing; skin tones join identities but no bases, so that the split is the
    /// same with and without them.
    private static func identities(_ concepts: [EmojiConcept], _ hashes: [[UInt64?]]) -> (
        ids: [String], bases: [String]
    ) {
        var emojis = DisjointSets(count: concepts.count)
        let baseNames = concepts.map(\.base)
        var firstOfBase: [String: Int] = [:]
        for (index, base) in baseNames.enumerated() where firstOfBase[base] == nil { firstOfBase[base] = index }
        let baseIndex = baseNames.map { firstOfBase[$0] ?? 0 }
        var joined = DisjointSets(count: concepts.count)
        for drawing in hashes.first?.indices ?? 0..<0 {
            var first: [UInt64: Int] = [:]
            var firstPlain: [UInt64: Int] = [:]
            for index in concepts.indices {
                guard let hash = hashes[index][drawing] else { continue }
                if let other = first[hash] { emojis.join(other, index) } else { first[hash] = index }
                guard !concepts[index].hasSkinTone else { continue }
                if let other = firstPlain[hash] {
                    joined.join(baseIndex[other], baseIndex[index])
                } else {
                    firstPlain[hash] = index
                }
            }
        }
        let ids = concepts.indices.map { concepts[emojis.first(of: $0)].id }
        return (ids, concepts.indices.map { baseNames[joined.first(of: baseIndex[$0])] })
    }

    /// Drops training rows whose picture is one of set A or B, then the rows of set A whose emoji is not trained on any more.
    private static func withoutLeaks(_ rows: [Row], _ hashes: [[UInt64?]]) -> [Row] {
        let asked = Set(rows.filter { $0.set != .train }.compactMap { hashes[$0.concept][$0.drawing] })
        let clean = rows.filter { row in
            row.set != .train || hashes[row.concept][row.drawing].map { !asked.contains($0) } ?? false
        }
        let trained = Set(clean.filter { $0.set == .train }.map(\.concept))
        return clean.filter { $0.set != .seen || trained.contains($0.concept) }
    }
}

/// Union-find in which every set is known by its smallest member.
private struct DisjointSets {
    private var parents: [Int]

    init(count: Int) { parents = Array(0..<count) }

    func first(of element: Int) -> Int {
        var element = element
        while parents[element] != element { element = parents[element] }
        return element
    }

    mutating func join(_ a: Int, _ b: Int) {
        let (a, b) = (first(of: a), first(of: b))
        parents[max(a, b)] = min(a, b)
    }
}
