// Adapters in the format of the package `peft`: adapter_config.json and adapter_model.safetensors. Not here: adapters themselves
// (Autograd), merging them into weights (Parameters.mergeAdapters), what the files say besides (PEFTDescription).

import ArrayFiles
public import Autograd
import Encoders
import Failures
import Foundation

/// The adapters of a model's towers as a folder that `peft.PeftModel.from_pretrained` loads onto the towers' published model, and back.
///
/// A tensor is `base_model.model.MODULE.lora_A.weight`, MODULE being the linear layer's path in the published model: a fused layer's
/// parts are modules of their own there, as they are adapters of their own here. Factors of a convolution have its kernel's dimensions.
public struct PEFTAdapter {
    /// For messages: `the target tower`.
    private let owner: String
    private let layers: [(adapter: LowRankAdapter, module: PublishedModule)]
    /// Layers of the same published model that are another tower's: a folder may hold adapters for these too.
    private let others: Set<String>
    private let parameters: Parameters

    public static let configurationFile = "adapter_config.json"
    public static let weightsFile = "adapter_model.safetensors"

    init(
        owner: String, layers: [(adapter: LowRankAdapter, module: PublishedModule)], others: Set<String> = [],
        of parameters: Parameters
    ) {
        self.owner = owner
        self.layers = layers
        self.others = others
        self.parameters = parameters
    }

    /// The adapters of a tower that is not published: layers are called what they are called here, without the tower.
    public init(tower: String, of parameters: Parameters) {
        let adapters = parameters.adapters.filter { $0.layer.hasPrefix("\(tower).") }
        self.init(
            owner: "the \(tower) tower",
            layers: adapters.map { ($0, Self.ownModule($0, parameters)) }, of: parameters)
    }

    /// A layer by its own path.
    static func ownModule(_ adapter: LowRankAdapter, _ parameters: Parameters) -> PublishedModule {
        PublishedModule(
            path: adapter.layer.split(separator: ".").dropFirst().joined(separator: "."),
            shape: [adapter.outputs.count, parameters[adapter.down].shape[1]])
    }

    /// A factor of an adapter, with its shape in the file and the names that it may have there, the usual one first.
    private struct Factor {
        let tensor: Tensor
        let shape: [Int]
        let names: [String]
    }

    private var factors: [Factor] {
        layers.flatMap { adapter, module -> [Factor] in
            func factor(_ name: String, _ reference: ParameterReference, _ shape: [Int]) -> Factor {
                Factor(
                    tensor: parameters[reference], shape: shape,
                    names: module.paths.map { "base_model.model.\($0).\(name).weight" })
            }
            let rank = parameters[adapter.down].shape[0]
            return [
                factor("lora_A", adapter.down, [rank] + module.shape.dropFirst()),
                factor("lora_B", adapter.up, [module.shape[0], rank] + module.shape.dropFirst(2).map { _ in 1 }),
            ]
        }
    }

    /// What `adapter_config.json` says.
    /// - Throws: `Failure(.configuration)` when there are no adapters.
    func configuration(baseModel: String?) throws -> Data {
        guard let first = layers.first?.adapter else {
            throw Failure(.configuration, "\(owner) has no adapters to write; train with model.lora.rank")
        }
        let rank = parameters[first.down].shape[0]
        let written = PEFTDescription(
            peftType: "LORA", r: rank, alpha: (Double(first.scale) * Double(rank) * 1e6).rounded() / 1e6,
            dropout: Double("\(first.dropout)"), targets: .list(layers.map(\.module.path).sorted()), bias: "none",
            base: baseModel, fanInFanOut: false, rankStabilized: false)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return try encoder.encode(written)
    }

    /// What `adapter_model.safetensors` holds.
    var tensors: [SafetensorsTensor] { factors.map { ($0.names[0], $0.shape, .floats($0.tensor.values)) } }

    /// Overwrites the adapters with those of a folder.
    /// - Throws: `Failure(.inputMissing)` when a file is, `Failure(.data)` when the files are damaged or hold something else than
    ///   plain LoRA, `Failure(.configuration)` when rank, scale or layers are not those of this model.
    public func read(from folder: String) throws {
        let path = "\(folder)/\(Self.configurationFile)"
        let found = try PEFTDescription(path: path)
        guard let first = layers.first?.adapter else {
            throw Failure(
                .configuration, "\(folder): \(owner) has no adapters to read; set model.lora.rank to \(found.r)")
        }
        let rank = parameters[first.down].shape[0]
        guard rank == found.r, abs(Double(first.scale) - found.scale) <= 1e-6 * found.scale else {
            throw Failure(
                .configuration,
                "\(path): found r \(found.r) and a scale of \(found.scale), expected \(rank) and \(first.scale); set model.lora.rank and alpha "
                    + "so that alpha / rank is that scale")
        }
        let file = try SafetensorsFile(path: "\(folder)/\(Self.weightsFile)")
        let matched = factors.map { factor in
            (factor, name: factor.names.first { file.entry($0) != nil })
        }
        let known = Set(matched.compactMap(\.name))
        let missing = matched.filter { $0.name == nil }.map { $0.0.names[0] }
        let unexpected = file.names.filter { !known.contains($0) && !isOfAnotherTower($0) && !isOfPooler($0) }
        let different = matched.compactMap { factor, name in
            name.flatMap { file.entry($0) }.flatMap {
                $0.shape == factor.shape ? nil : "\(name ?? "") (expected \(factor.shape), found \($0.shape))"
            }
        }
        let complaints = [("missing", missing), ("unexpected", unexpected), ("of another shape", different)].filter {
            !$0.1.isEmpty
        }
        guard complaints.isEmpty else {
            throw Failure(
                .configuration,
                "\(file.path) does not fit the adapters of \(owner): "
                    + complaints.map {
                        "\($0.0): \($0.1.prefix(5).joined(separator: ", "))\($0.1.count > 5 ? ", …" : "")"
                    }
                    .joined(separator: "; ") + "; set model.lora.targets to what it adapts")
        }
        for (factor, name) in matched { if let name { factor.tensor.values.copy(from: try file.floats(name)) } }
    }

    /// Whether a factor is of BERT's pooler, which `all-linear` and `dense` adapt, too, and nothing computes with.
    private func isOfPooler(_ name: String) -> Bool { name.contains(".pooler.dense.lora_") }

    private func isOfAnotherTower(_ name: String) -> Bool {
        let parts = name.components(separatedBy: ".lora_")
        return parts.count == 2 && others.contains(String(parts[0].dropFirst("base_model.model.".count)))
    }
}
