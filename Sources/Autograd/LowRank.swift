// Low-rank adaptation as a property of linear layers: which get adapters, and the term an adapter adds. Not here: linear layers
// (Layers), files (Encoders, Training).
//
// Shapes: R rows, I inputs, K rank, C adapted outputs.

import Buffers
import Kernels
import Randomness

/// How linear layers are adapted (LoRA; Hu et al., arXiv 2106.09685).
public struct LowRankOptions: Sendable, Equatable {
    /// K ≥ 1.
    public var rank: Int
    /// α: the term is scaled by α/K.
    public var alpha: Double
    /// Probability of dropping an element of the term's input.
    public var dropout: Float
    /// Which layers.
    public var targets: [LayerPattern]
    /// What the layers with these weights are called in the model's publisher's program, where targets may mean them too.
    public var published: [WeightPart: String] = [:]

    public init(rank: Int, alpha: Double, dropout: Float = 0, targets: [LayerPattern]) {
        precondition(
            rank >= 1 && alpha > 0 && (0..<1).contains(dropout), "rank \(rank), alpha \(alpha), dropout \(dropout)")
        self.rank = rank
        self.alpha = alpha
        self.dropout = dropout
        self.targets = targets
    }

    /// α/K.
    public var scale: Float { Float(alpha / Double(rank)) }
}

/// Rows of a weight: where one layer lies in it, when several are one product here.
public struct WeightPart: Sendable, Hashable {
    /// The parameter's name, tower included.
    public var parameter: String
    /// First element.
    public var offset: Int

    public init(parameter: String, offset: Int) {
        self.parameter = parameter
        self.offset = offset
    }
}

/// A pattern over the paths of linear layers, as users of PEFT write them.
///
/// With `*` or `?` it is a glob over the whole path, tower included: `target.*.query`. Without, it is a run of components anywhere
/// behind the tower: `query` means every layer of that name (and not the query tower), `mlp` both layers of every MLP, `blocks.0` all
/// of the first block. The published names `q_proj`, `k_proj`, `v_proj`, `out_proj`, `fc1`, `fc2` and `dense` stand for what they name
/// there; `all-linear` is every layer but the last projection and one that training adds behind a published tower. Layers of published
/// models have the paths of their publisher's program besides. Attention pooling is meant only by patterns that name it.
public struct LayerPattern: Sendable, Equatable {
    public let text: String

    public init(_ text: String) { self.text = text }

    /// What published models call layers that are named otherwise here.
    private static let published = [
        "q_proj": ["attention.query"], "k_proj": ["attention.key"], "v_proj": ["attention.value"],
        "out_proj": ["attention.output"], "o_proj": ["attention.output"], "fc1": ["mlp.hidden"], "fc2": ["mlp.output"],
        "dense": ["attention.output", "mlp.hidden", "mlp.output"],
    ]

    /// - Parameter published: what the layer is called in its publisher's program.
    public func covers(_ path: String, published: String? = nil) -> Bool {
        let components = path.split(separator: ".").dropFirst()
        if text == "all-linear" { return components.last != "projection" && Array(components) != ["embedding"] }
        let tower = path.prefix { $0 != "." }
        if text.contains(where: { "*?[".contains($0) }) {
            let pattern = NamePattern(text)
            return pattern.covers(path) || published.map { pattern.covers("\(tower).\($0)") } ?? false
        }
        if components.first == "pooling", !text.hasPrefix("pooling") { return Self.run(text, isIn: published) }
        return ([text] + (Self.published[text] ?? [])).contains { Self.run($0, isIn: components) }
            || Self.run(text, isIn: published)
    }

    private static func run(_ name: String, isIn path: String?) -> Bool {
        path.map { run(name, isIn: $0.split(separator: ".")[...]) } ?? false
    }

    /// Whether a name's components follow one another somewhere in a path's.
    private static func run(_ name: String, isIn components: ArraySlice<Substring>) -> Bool {
        let wanted = name.split(separator: ".", omittingEmptySubsequences: false)
        guard wanted.count <= components.count else { return false }
        return (components.startIndex...components.endIndex - wanted.count).contains { start in
            components[start..<start + wanted.count].elementsEqual(wanted)
        }
    }
}

/// One adapter as declared: where it acts and what it is made of.
public struct LowRankAdapter: Sendable, Equatable {
    /// Path of the linear layer it adapts: `query.blocks.0.attention.value`, also where that is a part of a fused layer.
    public let layer: String
    /// Where the weight of `layer` is.
    public let part: WeightPart
    /// The frozen weight, [outputs, I].
    public let weight: ParameterReference
    /// The rows of the weight, and so the columns of the layer's output, that belong to `layer`: C of them.
    public private(set) var outputs: Range<Int>
    /// A, [K, I].
    public let down: ParameterReference
    /// B, [C, K].
    public let up: ParameterReference
    /// α/K.
    public let scale: Float
    public let dropout: Float
    let stream: UInt32

    /// The adapter of a layer that has these rows of the weight alone; nil if it adapts others.
    public func of(_ rows: Range<Int>) -> LowRankAdapter? {
        guard outputs.overlaps(rows) else { return nil }
        precondition(outputs.clamped(to: rows) == outputs, "rows \(rows) are a part of what \(layer) adapts")
        var adapter = self
        adapter.outputs = outputs.lowerBound - rows.lowerBound..<outputs.upperBound - rows.lowerBound
        return adapter
    }
}

extension ParameterPlan {
    /// Notes a linear layer by its path, and declares an adapter for it if one is wanted: A uniform in ±1/√I as in PEFT (Kaiming's
    /// with a = √5), B zero, so that training starts from the layer as it is.
    public mutating func declareAdapter(_ layer: String, weight: ParameterReference, outputs: Range<Int>)
        -> LowRankAdapter?
    {
        let inputs = layout.entries[weight.index].shape[1]
        let part = WeightPart(parameter: layout.entries[weight.index].name, offset: outputs.lowerBound * inputs)
        let published = lowRank?.published[part]
        linearLayers.append((layer, published))
        guard let lowRank, lowRank.targets.contains(where: { $0.covers(layer, published: published) }) else {
            return nil
        }
        let adapter = LowRankAdapter(
            layer: layer, part: part, weight: weight, outputs: outputs,
            down: declareOfAdapter(
                "\(layer).lora_A.weight", [lowRank.rank, inputs], .uniform(bound: 1 / Float(inputs).squareRoot())),
            up: declareOfAdapter("\(layer).lora_B.weight", [outputs.count, lowRank.rank], .zeros), scale: lowRank.scale,
            dropout: lowRank.dropout, stream: 1 << 16 + UInt32(adapters.count))
        adapters.append(adapter)
        return adapter
    }
}

extension Parameters {
    /// Adds every adapter to the weight it adapts, `W_CI += α/K · B_CK · A_KI`, and clears its B: the model computes what it did, and
    /// what is written of it needs no adapters. Local; float32.
    public func mergeAdapters() {
        for adapter in adapters {
            let (weight, down, up) = (self[adapter.weight], self[adapter.down], self[adapter.up])
            let (inputs, rank) = (weight.shape[1], down.shape[0])
            gemm(
                Matrix(up.values, rows: adapter.outputs.count, columns: rank), .none,
                Matrix(down.values, rows: rank, columns: inputs),
                into: Matrix(
                    weight.values, offset: adapter.outputs.lowerBound * inputs, rows: adapter.outputs.count,
                    columns: inputs),
                alpha: adapter.scale, beta: 1)
            up.values.fill(0)
        }
    }
}

/// An adapter's term in one call of its layer: what the forward pass keeps for the backward pass.
struct LowRankTerm {
    let adapter: LowRankAdapter
    let down: Tensor
    let up: Tensor
    /// Of the layer, all of whose columns one row of y has.
    let outputs: Int
    let rows: Int
    /// The mask of this call; nil without dropout.
    let mask: (field: RandomField, step: Int, firstRow: Int)?
    private let h: Floats

    /// h_RK is allocated; nothing is computed yet.
    init(_ adapter: LowRankAdapter, _ parameters: Parameters, x: Tensor, outputs: Int, context: ForwardContext) {
        self.adapter = adapter
        (down, up) = (parameters[adapter.down], parameters[adapter.up])
        self.outputs = outputs
        rows = x.values.count / down.shape[1]
        mask = context.dropoutSeed.flatMap { seed in
            guard adapter.dropout > 0 else { return nil }
            return (
                RandomField(seed: seed, purpose: .dropout, stream: adapter.stream), context.step,
                context.firstRow(of: x)
            )
        }
        h = Floats(count: rows * down.shape[0])
    }

    var forwardOperations: Double { 2 * Double(rows) * Double(down.values.count + up.values.count) }

    /// Adds the term to the layer's output, [R, outputs].
    func add(x: Floats, to y: Floats) {
        let x = Matrix(dropped(x), rows: rows, columns: down.shape[1])
        lowRankForward(
            x, down: matrix(down), up: matrix(up), scale: adapter.scale, hidden: hidden, into: columns(of: y))
    }

    /// From the gradient of the layer's output, [R, outputs], to A, B and, added, dx.
    func backward(_ dy: Floats, x: Floats, addingTo dx: Floats?) {
        let inputs = down.shape[1]
        // A mask lies between dx and the term's input; without one the kernel adds to dx itself.
        let through = mask == nil ? dx : dx.map { Floats(count: $0.count) }
        lowRankBackward(
            columns(of: dy), x: Matrix(dropped(x), rows: rows, columns: inputs), hidden: hidden,
            down: matrix(down),
            up: matrix(up), scale: adapter.scale, dx: through.map { Matrix($0, rows: rows, columns: inputs) },
            addsToInput: mask == nil,
            ddown: down.parameterGradient.map { Matrix($0, rows: down.shape[0], columns: inputs) },
            dup: up.parameterGradient.map { Matrix($0, rows: up.shape[0], columns: up.shape[1]) })
        if mask != nil, let dx, let through {
            drop(through, into: through)
            addInto(dx, through)
        }
    }

    private var hidden: Matrix { Matrix(h, rows: rows, columns: down.shape[0]) }

    private func matrix(_ tensor: Tensor) -> Matrix {
        Matrix(tensor.values, rows: tensor.shape[0], columns: tensor.shape[1])
    }

    private func columns(of y: Floats) -> Matrix {
        Matrix(y, offset: adapter.outputs.lowerBound, rows: rows, columns: adapter.outputs.count, stride: outputs)
    }

    private func dropped(_ x: Floats) -> Floats {
        guard mask != nil else { return x }
        let result = Floats(count: x.count)
        drop(x, into: result)
        return result
    }

    private func drop(_ x: Floats, into y: Floats) {
        guard let mask else { return }
        dropoutForward(
            x, keep: 1 - adapter.dropout, field: mask.field, step: mask.step, firstRow: mask.firstRow,
            columns: down.shape[1], into: y)
    }
}
