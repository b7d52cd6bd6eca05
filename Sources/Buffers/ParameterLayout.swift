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

    /// The index of a named tensor.
    public func index(of name: String) -> Int? { indexByName[name] }

    /// Elements without padding: what people call the number of parameters.
    public var parameterCount: Int { entries.reduce(0) { $0 + $1.count } }
}
