// Both encoders against PyTorch in float64: outputs and the gradient of every parameter.

import Autograd
import Buffers
import Foundation
import Kernels
import Layers
import Testing

@testable import Encoders

/// Values of Golden/encoders.json, made by Golden/encoders.py.
private struct GoldenCase: Decodable {
    let output: [Double]
    let gradients: [String: [Double]]
}

/// The formula weights that the script uses too.
private func fillWithFormula(_ parameters: Parameters) {
    for (index, entry) in parameters.layout.entries.enumerated() {
        let amplitude = 0.6 / Double(entry.shape.last ?? 1).squareRoot()
        let centre = entry.name.hasSuffix("norm.weight") ? 1.0 : 0.0
        for k in 0..<entry.count {
            parameters.values[entry.offset + k] = Float(
                centre + amplitude * sin(0.37 * Double(k) + 1.3 * Double(index) + 0.1))
        }
    }
}

func relativeError(_ values: [Float], _ expected: [Double]) -> Double {
    guard values.count == expected.count else { return .infinity }
    let difference = zip(values, expected).reduce(0.0) { $0 + (Double($1.0) - $1.1) * (Double($1.0) - $1.1) }
    let norm = expected.reduce(0.0) { $0 + $1 * $1 }
    return (difference / max(norm, 1e-30)).squareRoot()
}

struct EncoderGoldenTests {
    private typealias Builder = @Sendable (inout ParameterPlan) -> any Encoder

    private static func vision(_ pooling: VisionTransformer.Pooling, _ activation: Activation, inputNorm: Bool)
        -> Builder
    {
        let shape = TransformerShape(width: 12, depth: 2, heads: 3, hidden: 20, activation: activation)
        return {
            VisionTransformer(
                &$0, "m",
                .init(imageSize: 8, patch: 4, transformer: shape, pooling: pooling, inputNorm: inputNorm, embedding: 6))
        }
    }

    private static func text(_ pooling: Pooling, causal: Bool, _ activation: Activation) -> Builder {
        let shape = TransformerShape(width: 12, depth: 2, heads: 2, hidden: 24, activation: activation)
        return {
            TextTransformer(
                &$0, "m",
                .init(vocabulary: 11, context: 7, transformer: shape, pooling: pooling, causal: causal, embedding: 5))
        }
    }

    private static let pictures = EncoderInput.pictures(
        Floats((0..<3 * 3 * 64).map { Float(sin(0.05 * Double($0))) }), count: 3)
    private static let texts = EncoderInput.text(
        ids: [1, 4, 2, 1, 2, 1, 9, 9, 3, 10, 5, 2, 2], offsets: [0, 3, 5, 12, 13])

    private static let builders: [String: (EncoderInput, Builder)] = [
        "vit class_token gelu": (pictures, vision(.classToken, .geluErf, inputNorm: false)),
        "vit class_token quick_gelu input_norm": (pictures, vision(.classToken, .quickGelu, inputNorm: true)),
        "vit mean gelu_tanh": (pictures, vision(.mean, .geluTanh, inputNorm: false)),
        "text end_of_text causal gelu": (texts, text(.endOfText, causal: true, .geluErf)),
        "text mean bidirectional quick_gelu": (texts, text(.mean, causal: false, .quickGelu)),
    ]

    private static func golden() throws -> [String: GoldenCase] {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
            "Golden/encoders.json")
        return try JSONDecoder().decode([String: GoldenCase].self, from: Data(contentsOf: path))
    }

    // float32 through two blocks of width 12: some 100 roundings of 6e-8 each give 1e-6 in the output; gradients lose another digit.
    @Test(arguments: builders.keys.sorted())
    func matchesPyTorch(name: String) throws {
        let (input, build) = try #require(Self.builders[name])
        let expected = try #require(try Self.golden()[name])
        var plan = ParameterPlan()
        let encoder = build(&plan)
        let parameters = Parameters(plan, seed: 0)
        fillWithFormula(parameters)

        let tape = Tape()
        let output = encoder(input, parameters, on: tape)
        #expect(relativeError(output.values.array, expected.output) < 3e-6)

        var finished: [Int] = []
        let seed = Floats((0..<output.values.count).map { Float(cos(0.11 * Double($0))) })
        tape.backward(from: [(output, seed)]) { finished.append($0) }
        #expect(finished.sorted() == Array(0..<plan.layout.entries.count), "every parameter is reported once")
        #expect(tape.count == 0)
        #expect(Set(expected.gradients.keys) == Set(plan.layout.entries.map(\.name)))
        for entry in plan.layout.entries {
            let gradient = try #require(expected.gradients[entry.name])
            // The key bias shifts all scores of a query alike, so a third of this gradient is zero and the rest carries the norm.
            #expect(relativeError(parameters.gradients[entry.range].array, gradient) < 3e-5, "\(name): \(entry.name)")
        }
    }

    @Test(arguments: builders.keys.sorted())
    func rowsDoNotSeeEachOther(name: String) throws {
        let (input, build) = try #require(Self.builders[name])
        var plan = ParameterPlan()
        let encoder = build(&plan)
        let parameters = Parameters(plan, seed: 7)
        let whole = encoder(input, parameters, on: Tape(.inference)).values.array
        let columns = encoder.outputColumns
        for row in 0..<input.rows {
            let alone = encoder(encoder.slice(input, row..<row + 1), parameters, on: Tape(.inference)).values.array
            // Products of other heights may take other kernels of the BLAS: equal to rounding, not to the bit.
            #expect(relativeError(alone, whole[row * columns..<(row + 1) * columns].map(Double.init)) < 1e-5)
        }
    }

    @Test func flopsCountTheProducts() throws {
        let (input, build) = try #require(Self.builders["vit mean gelu_tanh"])
        var plan = ParameterPlan()
        let encoder = build(&plan)
        // 3 pictures × 4 tokens; a block: 2·12·(4·12² + 2·12·20) + 4·3·4²·12; patches 2·12·48·12; projection 2·3·12·6.
        let block: Double = 24 * (4 * 144 + 2 * 240) + 4 * 3 * 16 * 12
        let ends: Double = 2 * 12 * 48 * 12 + 2 * 3 * 12 * 6
        #expect(encoder.forwardFLOPs(of: input) == 2 * block + ends)
    }

    @Test func flopsOfTheLastBlockAreThoseOfWhatIsRead() {
        // Texts of 3 and 5 tokens, width 8, hidden layer 16; the second text ends at its fourth token.
        let packing = SequencePacking(offsets: [0, 3, 8], causal: true)
        let shape = TransformerShape(width: 8, depth: 2, heads: 2, hidden: 16)
        let first: Double = 2 * 8 * (4 * 64 + 2 * 128) + 4 * 8 * (6 + 15)
        let last: Double = 2 * 8 * (2 * 64) + 2 * 2 * (2 * 64 + 2 * 128) + 4 * 8 * (3 + 4)
        #expect(transformerFLOPs(shape, packing: packing, rows: [2, 6]) == first + last)
        #expect(transformerFLOPs(shape, packing: packing, rows: nil) == 2 * first)
    }
}
