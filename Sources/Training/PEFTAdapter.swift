// Adapters in the format of the package `peft`: adapter_config.json and adapter_model.safetensors. Not here: adapters themselves
// (Autograd), merging them into weights (Parameters.mergeAdapters).

import ArrayFiles
public import Autograd
import Failures
import Foundation

/// The adapters of one tower as a folder that `peft.PeftModel.from_pretrained` loads onto the tower's published model, and back.
///
/// A tensor is `base_model.model.MODULE.lora_A.weight`, MODULE being the linear layer's path in the published model: a fused layer's
/// parts are modules of their own there, as they are adapters of their own here.
public struct PEFTAdapter {
    /// `query` or `target`.
    let tower: String
    /// The path in the published model of a layer's path in the tower: `blocks.0.attention.query`.
    let module: (String) -> String
    private let parameters: Parameters

    public static let configurationFile = "adapter_config.json"
    public static let weightsFile = "adapter_model.safetensors"

    /// - Parameter module: nil when the layers are called there what they are called here.
    public init(tower: String, of parameters: Parameters, module: ((String) -> String)? = nil) {
        self.tower = tower
        self.module = module ?? { $0 }
        self.parameters = parameters
    }

    private var adapters: [LowRankAdapter] { parameters.adapters.filter { $0.layer.hasPrefix("\(tower).") } }

    private func modulePath(_ adapter: LowRankAdapter) -> String {
        module(String(adapter.layer.dropFirst(tower.count + 1)))
    }

    /// Names in the file with the tensors they stand for.
    private var tensors: [(name: String, tensor: Tensor)] {
        adapters.flatMap { adapter in
            [("lora_A", adapter.down), ("lora_B", adapter.up)].map { factor, reference in
                ("base_model.model.\(modulePath(adapter)).\(factor).weight", parameters[reference])
            }
        }
    }

    /// Writes both files into a folder, which is made if need be.
    /// - Parameter baseModel: what the configuration says that the adapter belongs to; nil says nothing.
    /// - Throws: `Failure(.configuration)` when the tower has no adapters, `Failure(.cannotCreate)` when it cannot be written.
    public func write(to folder: String, baseModel: String? = nil) throws {
        guard let first = adapters.first else {
            throw Failure(.configuration, "the \(tower) tower has no adapters to write; train with model.lora.rank")
        }
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch { throw Failure(.cannotCreate, "\(folder) cannot be made: \(error.localizedDescription)") }
        let rank = parameters[first.down].shape[0]
        let written = Description(
            peftType: "LORA", r: rank, alpha: Double(first.scale) * Double(rank), dropout: Double(first.dropout),
            targets: .list(adapters.map(modulePath).sorted()), bias: "none", base: baseModel,
            taskType: "FEATURE_EXTRACTION",
            fanInFanOut: false, rankStabilized: false)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        let output = try OutputFile(path: "\(folder)/\(Self.configurationFile)")
        try encoder.encode(written).withUnsafeBytes { try output.write($0) }
        try output.commit()
        try SafetensorsWriter.write(
            path: "\(folder)/\(Self.weightsFile)",
            tensors: tensors.map { ($0.name, $0.tensor.shape, .floats($0.tensor.values)) }, metadata: ["format": "pt"])
    }

    /// Overwrites the tower's adapters with those of a folder.
    /// - Throws: `Failure(.inputMissing)` when a file is, `Failure(.data)` when the files are damaged or hold something else than
    ///   plain LoRA, `Failure(.configuration)` when rank, scale or layers are not those of this model.
    public func read(from folder: String) throws {
        let path = "\(folder)/\(Self.configurationFile)"
        guard let json = FileManager.default.contents(atPath: path) else {
            throw Failure(.inputMissing, "\(path) cannot be read; give a folder that peft's save_pretrained wrote")
        }
        let found: Description
        do { found = try JSONDecoder().decode(Description.self, from: json) } catch {
            throw Failure(
                .data, "\(path): expected the keys peft_type, r and lora_alpha of a LoRA configuration, \(error)")
        }
        try found.requirePlainLoRA(path)
        guard let first = adapters.first else {
            throw Failure(
                .configuration,
                "\(folder): the \(tower) tower has no adapters to read; set model.lora.rank to \(found.r)")
        }
        let rank = parameters[first.down].shape[0]
        guard rank == found.r, abs(Double(first.scale) - found.scale) <= 1e-6 * found.scale else {
            throw Failure(
                .configuration,
                "\(path): found r \(found.r) and a scale of \(found.scale), expected \(rank) and \(first.scale); set model.lora.rank and alpha "
                    + "so that alpha / rank is that scale")
        }
        let file = try SafetensorsFile(path: "\(folder)/\(Self.weightsFile)")
        let expected = tensors
        let missing = expected.map(\.name).filter { file.entry($0) == nil }
        let known = Set(expected.map(\.name))
        let unexpected = file.names.filter { !known.contains($0) }
        let different = expected.compactMap { name, tensor in
            file.entry(name).flatMap {
                $0.shape == tensor.shape ? nil : "\(name) (expected \(tensor.shape), found \($0.shape))"
            }
        }
        let complaints = [("missing", missing), ("unexpected", unexpected), ("of another shape", different)].filter {
            !$0.1.isEmpty
        }
        guard complaints.isEmpty else {
            throw Failure(
                .configuration,
                "\(file.path) does not fit the adapters of the \(tower) tower: "
                    + complaints.map {
                        "\($0.0): \($0.1.prefix(5).joined(separator: ", "))\($0.1.count > 5 ? ", …" : "")"
                    }
                    .joined(separator: "; ") + "; set model.lora.targets to what it adapts")
        }
        for (name, tensor) in expected { tensor.values.copy(from: try file.floats(name)) }
    }
}

/// adapter_config.json, as far as it decides what the tensors mean.
private struct Description: Codable {
    var peftType: String
    var r: Int
    var alpha: Double
    var dropout: Double?
    var targets: Targets?
    var bias: String?
    var base: String?
    var taskType: String?
    var fanInFanOut: Bool?
    var rankStabilized: Bool?
    var weightDecomposed: Bool?
    var modulesToSave: [String]?
    var rankPattern: [String: Int]?
    var alphaPattern: [String: Double]?

    enum CodingKeys: String, CodingKey {
        case r, bias
        case peftType = "peft_type"
        case alpha = "lora_alpha"
        case dropout = "lora_dropout"
        case targets = "target_modules"
        case base = "base_model_name_or_path"
        case taskType = "task_type"
        case fanInFanOut = "fan_in_fan_out"
        case rankStabilized = "use_rslora"
        case weightDecomposed = "use_dora"
        case modulesToSave = "modules_to_save"
        case rankPattern = "rank_pattern"
        case alphaPattern = "alpha_pattern"
    }

    /// A list of names, or one regular expression.
    enum Targets: Codable {
        case list([String])
        case expression(String)

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let list = try? container.decode([String].self) {
                self = .list(list)
            } else {
                self = .expression(try container.decode(String.self))
            }
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .list(let names): try container.encode(names)
            case .expression(let text): try container.encode(text)
            }
        }
    }

    /// α/r, or α/√r of a rank-stabilised adapter (arXiv 2312.03732).
    var scale: Double { alpha / (rankStabilized == true ? Double(r).squareRoot() : Double(r)) }

    func requirePlainLoRA(_ path: String) throws {
        func refuse(_ found: String, _ expected: String) throws -> Never {
            throw Failure(
                .data,
                "\(path): found \(found), expected \(expected); merge it into its model with peft and start from that")
        }
        if peftType.uppercased() != "LORA" { try refuse("peft_type \(peftType)", "LORA") }
        if r < 1 || !alpha.isFinite || alpha <= 0 { try refuse("r \(r), lora_alpha \(alpha)", "numbers above 0") }
        if let bias, bias != "none" { try refuse("bias \(bias)", "none") }
        if weightDecomposed == true { try refuse("use_dora", "plain LoRA") }
        if fanInFanOut == true { try refuse("fan_in_fan_out", "linear layers") }
        if let modulesToSave, !modulesToSave.isEmpty { try refuse("modules_to_save", "adapters only") }
        if rankPattern?.isEmpty == false || alphaPattern?.isEmpty == false {
            try refuse("rank_pattern or alpha_pattern", "one rank and one alpha")
        }
    }
}
