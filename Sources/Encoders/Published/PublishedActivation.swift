// The names that published configurations have for activations. Not here: the functions (Kernels).

import Failures
import Kernels

extension PublishedConfig {
    private static let activations: [String: Activation] = [
        "gelu": .geluErf, "gelu_python": .geluErf, "gelu_new": .geluTanh, "gelu_fast": .geluTanh,
        "gelu_pytorch_tanh": .geluTanh, "gelu_python_tanh": .geluTanh, "quick_gelu": .quickGelu, "relu": .relu,
        "silu": .silu, "swish": .silu, "tanh": .tanh, "linear": .identity,
    ]

    /// An activation by transformers' name.
    func activation(_ key: String, default standard: String) throws -> Activation {
        let name = try text(key) ?? standard
        guard let activation = Self.activations[name] else {
            throw Failure(
                .data,
                "\(place): \(key): expected one of \(Self.activations.keys.sorted().joined(separator: ", ")), found \"\(name)\""
            )
        }
        return activation
    }

    /// An activation by PyTorch's class, as sentence-transformers writes it.
    func torchActivation(_ key: String) throws -> Activation {
        let path = try text(key) ?? "torch.nn.modules.activation.Tanh"
        switch path.split(separator: ".").last {
        case "Tanh": return .tanh
        case "Identity": return .identity
        case "ReLU": return .relu
        case "SiLU": return .silu
        case "GELU": return .geluErf
        default:
            throw Failure(
                .data,
                "\(place): \(key): expected PyTorch's Tanh, Identity, ReLU, SiLU or GELU, found \"\(path.prefix(120))\""
            )
        }
    }
}
