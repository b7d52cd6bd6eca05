// Linear layers as the publishing programs call them: what adapters are named after. Not here: tensors in files (PublishedTensor), adapters
// (Autograd), their files (PEFTAdapter).

import Foundation

/// A layer of a published model in the program that publishes it.
public struct PublishedModule: Sendable, Equatable {
    /// Its path there: `encoder.layer.0.attention.self.query`.
    public let path: String
    /// Other paths of the same layer: of older programs, and inside a model with a task's head.
    public let otherPaths: [String]
    /// The weight's shape there: [outputs, inputs], or [outputs, 3, patch, patch] of a convolution.
    public let shape: [Int]

    public init(path: String, otherPaths: [String] = [], shape: [Int]) {
        self.path = path
        self.otherPaths = otherPaths
        self.shape = shape
    }

    /// Every path that the layer has.
    public var paths: [String] { [path] + otherPaths }
}

extension PublishedModel {
    /// The layer that a tensor is the weight of; nil when it is none, or no layer that can be adapted by itself: a part of PyTorch's
    /// `MultiheadAttention`, which reads its weights past its layers.
    func module(of tensor: PublishedTensor) -> PublishedModule? {
        let weight = ".weight"
        guard tensor.shape.count > 1, tensor.pieces.count == 1, !tensor.isTransposed, tensor.name.hasSuffix(weight),
            !tensor.name.contains("/"), !tensor.name.contains("head.attention.out_proj"), family != .openCLIP
        else { return nil }
        let stored = String(tensor.name.dropLast(weight.count))
        let current = family == .vit ? Self.currentName(ofViT: stored) : stored
        let names = current == stored ? [stored] : [current, stored]
        let all = names + (prefix.isEmpty ? [] : names.map { prefix + $0 })
        return PublishedModule(path: all[0], otherPaths: Array(all.dropFirst()), shape: tensor.shape)
    }

    /// The linear layers of one of the model's towers, with the first element of each one's weight in the parameter that holds it; the
    /// parameter's name is without the tower's.
    public func modules(of tower: PublishedTower) -> [(parameter: String, offset: Int, module: PublishedModule)] {
        tower.tensors.compactMap { tensor in
            module(of: tensor).map { (tensor.pieces[0].parameter, tensor.pieces[0].offset, $0) }
        }
    }

    /// Files keep the names that ViT's layers had before version 5 of `transformers`.
    private static func currentName(ofViT stored: String) -> String {
        [
            ("encoder.layer.", "layers."), ("attention.attention.query", "attention.q_proj"),
            ("attention.attention.key", "attention.k_proj"), ("attention.attention.value", "attention.v_proj"),
            ("attention.output.dense", "attention.o_proj"), ("intermediate.dense", "mlp.fc1"),
            ("output.dense", "mlp.fc2"),
        ].reduce(stored) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
    }
}
