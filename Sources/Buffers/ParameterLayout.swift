// Where each named parameter lies in a flat buffer. Not here: initial values (Layers), updates (Optimizers), files (Checkpoints).

/// One layout for parameters, gradients and moments, so that update, all-reduce, clip and save are one loop each.
public struct ParameterLayout: Sendable, Equatable {
    /// One named tensor of the model.
    public struct Entry: Sendable, Equatable {
        /// Dotted path, the key in checkpoints: `image.blocks.0.attention.weight`.
        public let name: String
        public let shape: [Int]
        /// Index of the first element in the flat buffer; a multiple of 16 (64 bytes).
        public let offset: Int
        /// Whether weight decay applies (matrices and embeddings: yes; biases, norms, temperature: no).
        public let decays: Bool

        public var count: Int { shape.reduce(1, *) }
        public var range: Range<Int> { offset..<offset + count }
    }

    public private(set) var entries: [Entry] = []
    /// Elements of the flat buffer, padding included; padding stays zero in every buffer of the layout.
    public private(set) var count = 0
    private var indexByName: [String: Int] = [:]

    public init() {}

    /// Adds a tensor behind the last one and returns its index in `entries`.
    /// - Precondition: the name is new.
    public mutating func add(_ name: String, shape: [Int], decays: Bool) -> Int {
        precondition(indexByName[name] == nil, "parameter \(name) is declared twice")
        let entry = Entry(name: name, shape: shape, offset: count, decays: decays)
        indexByName[name] = entries.count
        entries.append(entry)
        count = (entry.range.upperBound + 15) / 16 * 16
        return entries.count - 1
    }

    /// The same tensors in the same order, with those at `indices` behind all others in the flat buffer; and the layout of the others
    /// alone, which is a prefix of it: element k of that is element k of this.
    public func movingBehind(_ indices: Set<Int>) -> (whole: ParameterLayout, front: ParameterLayout) {
        var front = ParameterLayout()
        for (index, entry) in entries.enumerated() where !indices.contains(index) {
            _ = front.add(entry.name, shape: entry.shape, decays: entry.decays)
        }
        var whole = self
        var end = front.count
        var position = 0
        for (index, entry) in entries.enumerated() {
            let isBehind = indices.contains(index)
            let offset = isBehind ? end : front.entries[position].offset
            whole.entries[index] = Entry(name: entry.name, shape: entry.shape, offset: offset, decays: entry.decays)
            if isBehind { end = (whole.entries[index].range.upperBound + 15) / 16 * 16 } else { position += 1 }
        }
        whole.count = end
        return (whole, front)
    }

    /// The index of a named tensor.
    public func index(of name: String) -> Int? { indexByName[name] }

    /// Elements without padding: what people call the number of parameters.
    public var parameterCount: Int { entries.reduce(0) { $0 + $1.count } }
}
