// Learning rates that differ from parameter to parameter. Not here: their course over the steps (Optimizers).

import Autograd
import Buffers
import Failures

extension RunConfig.Optimizer {
    /// The factor of the learning rate of each trainable parameter: layer-wise decay times what the last pattern of `rates` that
    /// covers it says.
    ///
    ///     layer l of a tower of L blocks: layer_decay^(L + 1 − l)
    ///
    /// with l = 0 for what comes before the first block (embeddings), i + 1 for block i, L + 1 for what comes after the last (norm,
    /// projection). Towers without blocks and the loss's own parameters have the factor 1. Source: Clark et al., "ELECTRA", ICLR 2020,
    /// in the form of BEiT (Bao et al., arXiv 2106.08254).
    /// - Throws: `Failure(.configuration)` when a pattern means no trainable parameter.
    func rates(of parameters: Parameters) throws -> [Double] {
        let patterns = rates.items.map { (pattern: NamePattern($0.pattern), rate: $0.rate) }
        try ParameterSelection(key: "optimizer.rates", patterns: patterns.map(\.pattern)).requireMeaning(
            in: parameters.trainable)
        let depths = LayerDepths(parameters.layout)
        return parameters.trainable.entries.map { entry in
            let own = patterns.last { $0.pattern.covers(entry.name) }?.rate ?? 1
            return own * power(layerDecay, depths.layersAbove(entry.name))
        }
    }

    private func power(_ base: Double, _ exponent: Int) -> Double {
        (0..<exponent).reduce(1) { product, _ in product * base }
    }
}

/// How far below the top of its tower each parameter is.
struct LayerDepths {
    private var above: [String: Int] = [:]

    /// What published and own models call their stacks.
    private static let stacks: Set<Substring> = ["blocks", "layers", "layer", "resblocks", "block"]

    init(_ layout: ParameterLayout) {
        let towers = Dictionary(grouping: layout.entries) { $0.name.prefix { $0 != "." } }
        for entries in towers.values {
            let blocks = entries.map { Self.block($0.name) }
            guard let depth = blocks.compactMap({ $0 }).max().map({ $0 + 1 }),
                let first = blocks.firstIndex(where: { $0 != nil })
            else { continue }
            for (index, entry) in entries.enumerated() {
                above[entry.name] = blocks[index].map { depth - $0 } ?? (index < first ? depth + 1 : 0)
            }
        }
    }

    /// L + 1 − l; 0 for parameters that are in no stack's tower.
    func layersAbove(_ name: String) -> Int { above[name] ?? 0 }

    /// i of `….blocks.i.…`.
    private static func block(_ name: String) -> Int? {
        let parts = name.split(separator: ".")
        return zip(parts, parts.dropFirst()).lazy.compactMap { stacks.contains($0) ? Int($1) : nil }.first
    }
}
