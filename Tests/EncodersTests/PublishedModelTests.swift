// Published models against the packages that publish them, in float64: outputs and the gradient of every parameter. The directories and
// values are those of Golden/published.py.

import ArrayFiles
import Autograd
import Buffers
import Encoders
import Foundation
import Testing

enum Published {
    static let names = [
        "bert", "bert-relu", "xlm-roberta", "xlm-roberta-silu", "mpnet", "mpnet-long", "vit", "vit-odd", "clip",
        "clip-gelu",
        "siglip", "siglip-odd", "open-clip", "open-clip-custom", "sentence", "sentence-pooled",
    ]

    static func directory(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden/published/\(name)")
            .path
    }

    /// ‖values − expected‖ / ‖expected‖.
    static func relativeError(_ values: [Float], _ expected: [Float]) -> Double {
        guard values.count == expected.count else { return .infinity }
        let difference = zip(values, expected).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
        return (difference / max(expected.reduce(0.0) { $0 + Double($1) * Double($1) }, 1e-30)).squareRoot()
    }
}

/// A published model as this library builds and fills it.
struct BuiltModel {
    let model: PublishedModel
    let weights: PublishedWeights
    let parameters: Parameters
    private(set) var encoders: [String: any Encoder] = [:]

    init(directory: String) throws {
        model = try PublishedModel(directory: directory)
        weights = try PublishedWeights(directory: directory, of: model)
        var plan = ParameterPlan()
        for (name, tower) in towers(model) { encoders[name] = tower.build(&plan, name) }
        parameters = Parameters(plan, seed: 1)
        for (name, tower) in towers(model) { try weights.fill(tower, named: name, parameters) }
    }
}

private func towers(_ model: PublishedModel) -> [(name: String, tower: PublishedTower)] {
    [("text", model.text), ("vision", model.vision)].compactMap { name, tower in tower.map { (name, $0) } }
}

/// The gradient of a published tensor, put together from the parameters that it fills.
private func gradient(_ tensor: PublishedTensor, tower: String, _ parameters: Parameters) throws -> [Float] {
    var values: [Float] = []
    for piece in tensor.pieces {
        let index = try #require(parameters.layout.index(of: "\(tower).\(piece.parameter)"))
        let start = parameters.layout.entries[index].offset + piece.offset
        values += parameters.gradients[start..<start + piece.count].array
    }
    guard tensor.isTransposed else { return values }
    let (rows, columns) = (tensor.shape[0], tensor.shape[1])
    return (0..<rows * columns).map { values[$0 % columns * rows + $0 / columns] }
}

struct PublishedModelTests {
    private func input(_ side: String, _ expected: SafetensorsFile) throws -> EncoderInput {
        guard expected.entry("\(side).ids") != nil else {
            let pictures = try expected.floats("\(side).pictures")
            return .pictures(pictures, count: try #require(expected.entry("\(side).pictures")?.shape[0]))
        }
        return .text(
            ids: try expected.integers("\(side).ids").array.map { Int32($0) },
            offsets: try expected.integers("\(side).offsets").array.map { Int($0) })
    }

    /// What transformers calls a parameter of a ViT, whose files keep older names.
    private func nameInTheProgram(_ name: String) -> String {
        [
            ("encoder.layer.", "layers."), ("attention.attention.query", "attention.q_proj"),
            ("attention.attention.key", "attention.k_proj"), ("attention.attention.value", "attention.v_proj"),
            ("attention.output.dense", "attention.o_proj"), ("intermediate.dense", "mlp.fc1"),
            ("output.dense", "mlp.fc2"),
        ].reduce(name) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
    }

    /// PyTorch gives the row of the padding token no gradient; a packed text has no padding, so an id is an id here.
    private func withoutPadding(_ found: [Float], as wanted: [Float], _ shape: [Int]) -> [Float] {
        let columns = shape[1]
        return found.indices.map { index in
            let row = index / columns * columns..<(index / columns + 1) * columns
            return wanted[row].allSatisfy { $0 == 0 } ? 0 : found[index]
        }
    }

    // Outputs are some hundred float32 roundings away from float64, 1e-6 and less; gradients of a loss at scale 20 lose another digit.
    @Test(arguments: Published.names)
    func computesWhatItsPublisherComputes(name: String) throws {
        let directory = Published.directory(name)
        let built = try BuiltModel(directory: directory)
        let expected = try SafetensorsFile(path: "\(directory)/expected.safetensors")
        for side in ["a", "b"] {
            let input = try input(side, expected)
            let tower = if case .text = input { "text" } else { "vision" }
            let tape = Tape()
            let encoder = try #require(built.encoders[tower])
            let output = encoder(input, built.parameters, on: tape)
            let wanted = try expected.floats("\(side).output").array
            #expect(Published.relativeError(output.values.array, wanted) < 1e-5, "\(side)")
            tape.backward(from: [(output, try expected.floats("\(side).seed"))])
        }
        var compared = 0
        for (tower, published) in towers(built.model) {
            for tensor in published.tensors {
                // What nothing depends on has no gradient there, and zero here.
                var found = try gradient(tensor, tower: tower, built.parameters)
                let isNamedAlike = expected.entry("gradient.\(tensor.name)") != nil
                let name = isNamedAlike ? tensor.name : nameInTheProgram(tensor.name)
                guard expected.entry("gradient.\(name)") != nil else {
                    #expect(found.allSatisfy { $0 == 0 }, "\(tensor.name)")
                    continue
                }
                compared += 1
                let wanted = try expected.floats("gradient.\(name)").array
                if tensor.name.hasSuffix("word_embeddings.weight") {
                    found = withoutPadding(found, as: wanted, tensor.shape)
                }
                // A key's bias moves all scores of a query alike: its gradient is zero but for rounding.
                let isNull =
                    tensor.name.hasSuffix("key.bias") || tensor.name.hasSuffix("k_proj.bias")
                    || tensor.name.hasSuffix("k.bias")
                if isNull {
                    #expect(found.allSatisfy { abs($0) < 1e-5 }, "\(tensor.name)")
                } else {
                    #expect(Published.relativeError(found, wanted) < 1e-4, "\(tensor.name)")
                }
            }
        }
        #expect(compared == expected.names.count { $0.hasPrefix("gradient.") && !$0.contains("pooler") })
    }

    @Test(arguments: Published.names)
    func rowsDoNotSeeEachOther(name: String) throws {
        let directory = Published.directory(name)
        let built = try BuiltModel(directory: directory)
        let input = try input("a", SafetensorsFile(path: "\(directory)/expected.safetensors"))
        let encoder = try #require(built.encoders[model(input)])
        let whole = encoder(input, built.parameters, on: Tape(.inference)).values.array
        let columns = encoder.outputColumns
        for row in 0..<input.rows {
            let alone = encoder(encoder.slice(input, row..<row + 1), built.parameters, on: Tape(.inference)).values
                .array
            #expect(Published.relativeError(alone, Array(whole[row * columns..<(row + 1) * columns])) < 1e-5)
        }
        #expect(encoder.tokenRows(of: input) == encoder.embed(input, built.parameters, on: Tape(.inference)).rows)
    }

    private func model(_ input: EncoderInput) -> String { if case .text = input { "text" } else { "vision" } }

    @Test func readsWhatSentenceTransformersWrites() throws {
        let model = try PublishedModel(directory: Published.directory("sentence"))
        guard case .text(let text)? = model.text?.plan else {
            Issue.record("no text tower")
            return
        }
        #expect(text.pooling == [.classToken])
        #expect(text.context == 9)
        #expect(
            text.projections == [.linear(name: "dense_0", outputs: 7, bias: true, activation: .tanh), .normalize])
    }
}
