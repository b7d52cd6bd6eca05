// adapter_config.json of the package `peft`. Not here: the tensors beside it (PEFTAdapter).

import Failures
import Foundation

/// adapter_config.json, as far as it decides what the tensors mean.
struct PEFTDescription: Codable {
    var peftType: String
    var r: Int
    var alpha: Double
    var dropout: Double?
    var targets: Targets?
    var bias: String?
    var base: String?
    var fanInFanOut: Bool?
    var rankStabilized: Bool?
    var weightDecomposed: Bool?
    var modulesToSave: [String]?
    var rankPattern: [String: Int]?
    var alphaPattern: [String: Double]?
    var initialization: Initialization?

    enum CodingKeys: String, CodingKey {
        case r, bias
        case peftType = "peft_type"
        case alpha = "lora_alpha"
        case dropout = "lora_dropout"
        case targets = "target_modules"
        case base = "base_model_name_or_path"
        case fanInFanOut = "fan_in_fan_out"
        case rankStabilized = "use_rslora"
        case weightDecomposed = "use_dora"
        case modulesToSave = "modules_to_save"
        case rankPattern = "rank_pattern"
        case alphaPattern = "alpha_pattern"
        case initialization = "init_lora_weights"
    }

    /// How the factors began: with a flag, or with a method's name.
    enum Initialization: Codable {
        case flag(Bool)
        case method(String)

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let flag = try? container.decode(Bool.self) {
                self = .flag(flag)
            } else {
                self = .method(try container.decode(String.self))
            }
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .flag(let flag): try container.encode(flag)
            case .method(let name): try container.encode(name)
            }
        }
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

    private func requirePlainLoRA(_ path: String, variants: [String]) throws {
        func refuse(_ found: String, _ expected: String) throws -> Never {
            throw Failure(
                .data,
                "\(path): found \(found), expected \(expected); merge it into its model with peft and start from that")
        }
        if peftType.uppercased() != "LORA" { try refuse("peft_type \(peftType)", "LORA") }
        if r < 1 || !alpha.isFinite || alpha <= 0 { try refuse("r \(r), lora_alpha \(alpha)", "numbers above 0") }
        if let bias, bias != "none" { try refuse("bias \(bias)", "none") }
        if weightDecomposed == true { try refuse("use_dora", "plain LoRA") }
        if let variant = variants.first { try refuse(variant, "plain LoRA") }
        if fanInFanOut == true { try refuse("fan_in_fan_out", "linear layers") }
        if let modulesToSave, !modulesToSave.isEmpty { try refuse("modules_to_save", "adapters only") }
        // These methods change the weights that the factors are added to.
        if case .method(let name)? = initialization,
            ["pissa", "olora", "corda", "loftq", "lora_ga"].contains(where: { name.lowercased().hasPrefix($0) })
        {
            try refuse("init_lora_weights \(name)", "factors for the weights as published")
        }
        if rankPattern?.isEmpty == false || alphaPattern?.isEmpty == false {
            try refuse("rank_pattern or alpha_pattern", "one rank and one alpha")
        }
    }
}

/// The keys that are set, of those with which peft computes something else than plain LoRA from the same tensors.
private struct PEFTVariants: Decodable {
    private(set) var keys: [String] = []

    private static let known = [
        "use_qalora", "use_bdlora", "alora_invocation_tokens", "arrow_config", "kasa_config", "monteclora_config",
        "layer_replication",
    ]

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        keys = Self.known.filter { name in
            let key = Key(stringValue: name)
            guard container.contains(key), (try? container.decodeNil(forKey: key)) == false else { return false }
            return (try? container.decode(Bool.self, forKey: key)) != false
        }
    }
}

extension PEFTDescription {
    /// Reads one.
    /// - Throws: `Failure(.inputMissing)` when it is missing, `Failure(.data)` when it is damaged or describes no plain LoRA.
    init(path: String) throws {
        guard let json = FileManager.default.contents(atPath: path) else {
            throw Failure(.inputMissing, "\(path) cannot be read; give a folder that peft's save_pretrained wrote")
        }
        let variants: [String]
        do {
            self = try JSONDecoder().decode(PEFTDescription.self, from: json)
            variants = try JSONDecoder().decode(PEFTVariants.self, from: json).keys
        } catch {
            throw Failure(
                .data, "\(path): expected the keys peft_type, r and lora_alpha of a LoRA configuration, \(error)")
        }
        try requirePlainLoRA(path, variants: variants)
    }
}
