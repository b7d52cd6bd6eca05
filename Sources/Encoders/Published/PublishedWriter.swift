// Parameters back to published tensors: names, shapes and element types as they were. Not here: the files beside the weights
// (ModelExporter), the order of bytes (SafetensorsWriter).

public import ArrayFiles
public import Autograd
import Buffers

/// The tensors of a published directory by the path of their file.
public struct PublishedTensors {
    public fileprivate(set) var files: [String: [SafetensorsTensor]] = [:]
    /// Whether tensors that were stored in 16 bits are float32 now, for training has moved them off what 16 bits can hold.
    public let isWidened: Bool
}

extension PublishedModel {
    /// The weights' file in the model's own directory.
    public var weightsFile: String { family == .openCLIP ? "open_clip_model.safetensors" : "model.safetensors" }

    /// Every tensor of the model, from the parameters of its towers.
    ///
    /// Tensors have the element type that they were read in if every value of the model can be written so, else all are float32: a model
    /// that was not trained is given back bit for bit.
    /// - Parameters:
    ///   - names: under which name each tower's parameters are declared.
    ///   - logits: ln of the logits' scale, and their bias.
    ///   - record: what was kept of the weights' names and types; nil for a model that is published for the first time.
    ///   - unused: the tensors that nothing computes with.
    public func tensors(
        of parameters: Parameters, names: (text: String?, vision: String?), logits: (logScale: Float, bias: Float),
        record: PublishedRecord?, unused: [SafetensorsTensor]
    ) -> PublishedTensors {
        var values: [(name: String, shape: [Int], values: Floats)] = []
        for (tower, name) in [(text, names.text), (vision, names.vision)] {
            guard let tower, let name else { continue }
            for tensor in tower.tensors {
                values.append((tensor.name, tensor.shape, Self.values(tensor, named: name, parameters)))
            }
        }
        for (place, value) in [(logitScale, logits.logScale), (logitBias, logits.bias)] {
            guard let place else { continue }
            values.append((place.name, place.shape, Floats([value])))
        }
        func type(_ name: String) -> SafetensorsType {
            record?.names.types[name].flatMap { SafetensorsType(rawValue: $0) } ?? .float32
        }
        let narrow = values.map { Self.narrowed($0.values, to: type($0.name)) }
        let isWidened = narrow.contains { $0 == nil }
        var result = PublishedTensors(isWidened: isWidened)
        for (tensor, payload) in zip(values, narrow) {
            let stored = payload.flatMap { isWidened ? nil : $0 } ?? .floats(tensor.values)
            let found = record?.names.names[tensor.name] ?? tensor.name
            let (file, name) = Self.place(found, weightsFile: weightsFile)
            result.files[file, default: []].append((name, tensor.shape, stored))
        }
        if !unused.isEmpty { result.files[weightsFile, default: []] += unused }
        return result
    }

    /// A tensor's file and its name there: `2_Dense/linear.weight` is `linear.weight` of `2_Dense/model.safetensors`.
    private static func place(_ name: String, weightsFile: String) -> (file: String, name: String) {
        guard let slash = name.lastIndex(of: "/") else { return (weightsFile, name) }
        return ("\(name[..<slash])/model.safetensors", String(name[name.index(after: slash)...]))
    }

    private static func values(_ tensor: PublishedTensor, named name: String, _ parameters: Parameters) -> Floats {
        let parts = tensor.pieces.map { parameters.part("\(name).\($0.parameter)", $0.offset, $0.count) }
        var whole = parts[0]
        if parts.count > 1 {
            whole = Floats(count: parts.reduce(0) { $0 + $1.count })
            var start = 0
            for part in parts {
                whole[start..<start + part.count].copy(from: part)
                start += part.count
            }
        }
        return tensor.isTransposed ? PublishedWeights.transposed(whole, rows: tensor.shape[1]) : whole
    }

    /// The values in another type; nil when one of them is no value of it.
    static func narrowed(_ values: Floats, to type: SafetensorsType) -> SafetensorsPayload? {
        switch type {
        case .float16, .bfloat16:
            let result = Buffer<UInt8>(count: 2 * values.count)
            for index in 0..<values.count {
                let value = values.base[index]
                let bits: UInt16
                if type == .float16 {
                    let half = Float16(value)
                    guard Float(half) == value else { return nil }
                    bits = half.bitPattern
                } else {
                    guard value.bitPattern & 0xFFFF == 0 else { return nil }
                    bits = UInt16(value.bitPattern >> 16)
                }
                result.base[2 * index] = UInt8(truncatingIfNeeded: bits)
                result.base[2 * index + 1] = UInt8(bits >> 8)
            }
            return .bytes(result, type)
        case .float64:
            let result = Doubles(count: values.count)
            for index in 0..<values.count { result.base[index] = Double(values.base[index]) }
            return .doubles(result)
        default: return .floats(values)
        }
    }
}
