// What a published directory holds: which towers, of which sizes, filled by which tensors. Not here: the weights themselves
// (PublishedWeights), the families' own keys and names (files named after them).

import ArrayFiles
public import Autograd
import Failures
import Foundation
import Layers

/// One side of a published model.
public struct PublishedTower: Sendable {
    public enum Plan: Sendable {
        case text(TextTransformer.Configuration)
        case vision(VisionTransformer.Configuration)
    }

    public var plan: Plan
    /// The tensors that fill it, in the order of the forward pass.
    public let tensors: [PublishedTensor]

    /// E of the tower as published.
    public var outputColumns: Int {
        let (width, projections) =
            switch plan {
            case .text(let text): (text.transformer.width * text.pooling.count, text.projections)
            case .vision(let vision): (vision.transformer.width, vision.projections)
            }
        return projections.reduce(width) { columns, projection in
            if case .linear(_, let outputs, _, _) = projection { outputs } else { columns }
        }
    }

    /// The tower with a new linear projection, named `embedding`, behind it where it has another width.
    public func projected(to columns: Int) -> PublishedTower {
        guard outputColumns != columns else { return self }
        let projection = Projection.linear(name: "embedding", outputs: columns, bias: false)
        var tower = self
        switch plan {
        case .text(var text):
            text.projections.append(projection)
            tower.plan = .text(text)
        case .vision(var vision):
            vision.projections.append(projection)
            tower.plan = .vision(vision)
        }
        return tower
    }

    /// Declares the encoder under `name`.
    public func build(_ plan: inout ParameterPlan, _ name: String) -> any Encoder {
        switch self.plan {
        case .text(let text): TextTransformer(&plan, name, text)
        case .vision(let vision): VisionTransformer(&plan, name, vision)
        }
    }
}

/// A published model: its files, read; its weights, named.
public struct PublishedModel: Sendable {
    public enum Family: String, Sendable, CaseIterable {
        case bert, roberta, mpnet, vit, clip, siglip
        case openCLIP = "open_clip"
    }

    public let family: Family
    public let files: ModelFiles
    public internal(set) var text: PublishedTower?
    public internal(set) var vision: PublishedTower?
    /// Names and shapes of the logits' scale, as its logarithm, and of their bias.
    public internal(set) var logitScale: (name: String, shape: [Int])?
    public internal(set) var logitBias: (name: String, shape: [Int])?
    /// The prefix that the family's tensors have inside a model with a task's head: `bert.`.
    let prefix: String
    /// Names of tensors that models of the family may hold and that nothing here computes with; `*` at the end stands for anything.
    let unused: [String]

    /// Reads the configurations of a directory.
    /// - Throws: `Failure(.inputMissing)` without a directory or config.json; `Failure(.data)` when a family is unknown or a value is
    ///   not possible.
    public init(directory: String) throws { try self.init(ModelFiles(directory: directory)) }

    /// The same from files kept elsewhere.
    public init(_ files: ModelFiles) throws {
        let name = "config.json"
        guard let data = files[name] else {
            guard let data = files["open_clip_config.json"] else {
                throw Failure(
                    .inputMissing,
                    "\(files.origin): expected config.json or open_clip_config.json, found neither; give a model's directory "
                        + "as `save_pretrained` writes it")
            }
            self = try Self.openCLIP(files, PublishedConfig(data, place: "\(files.origin)/open_clip_config.json"))
            return
        }
        let config = try PublishedConfig(data, place: "\(files.origin)/\(name)")
        let type = try config.text("model_type")
        switch type {
        case "bert": self = try Self.bert(files, config)
        case "roberta", "xlm-roberta", "camembert": self = try Self.roberta(files, config)
        case "mpnet": self = try Self.mpnet(files, config)
        case "vit": self = try Self.vit(files, config)
        case "clip": self = try Self.clip(files, config)
        case "siglip": self = try Self.siglip(files, config)
        default:
            if let data = files["open_clip_config.json"] {
                self = try Self.openCLIP(files, PublishedConfig(data, place: "\(files.origin)/open_clip_config.json"))
                return
            }
            throw Failure(
                .data,
                "\(config.place): model_type: expected one of bert, roberta, xlm-roberta, camembert, mpnet, vit, clip, siglip, "
                    + "found \(type.map { "\"\($0)\"" } ?? "none")")
        }
    }

    init(
        family: Family, files: ModelFiles, prefix: String = "", unused: [String] = [], text: PublishedTower? = nil,
        vision: PublishedTower? = nil
    ) {
        self.family = family
        self.files = files
        self.prefix = prefix
        self.unused = unused
        self.text = text
        self.vision = vision
    }

    /// Every tensor that the model must hold.
    var expected: [(name: String, shape: [Int])] {
        ((text?.tensors ?? []) + (vision?.tensors ?? [])).map { ($0.name, $0.shape) }
            + [logitScale, logitBias].compactMap { $0 }
    }
}

extension PublishedConfig {
    /// Limits of sizes: far above every published model, far below what could overflow.
    static let widths = 1...65536
    static let depths = 1...1024
    static let vocabularies = 1...16_777_216
    static let contexts = 1...1_048_576
    static let pixels = 1...16384

    /// Sizes of the blocks under the keys of most families.
    func transformer(
        width: Int, depth: Int, heads: Int, hidden: Int, activation: String, norms: NormPlacement, epsilon: Double,
        attentionBias: Bool = true
    ) throws -> TransformerShape {
        let width = try size("hidden_size", default: width, in: Self.widths)
        let heads = try size("num_attention_heads", default: heads, in: Self.widths)
        guard width % heads == 0 else {
            throw Failure(.data, "\(place): hidden_size \(width) is not a multiple of num_attention_heads \(heads)")
        }
        return TransformerShape(
            width: width, depth: try size("num_hidden_layers", default: depth, in: Self.depths), heads: heads,
            hidden: try size("intermediate_size", default: hidden, in: Self.widths),
            activation: try self.activation("hidden_act", default: activation), norms: norms,
            epsilon: Float(try positive("layer_norm_eps", default: epsilon)), attentionBias: attentionBias)
    }
}
