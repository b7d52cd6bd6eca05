// A projection head on features that another model computed. Not here: where the features come from (Datasets).
//
// Shapes: B rows, D columns of the features, F hidden width, E embedding width.

public import Autograd
import Buffers
public import Kernels
import Layers

/// `y_BE = W₂ · dropout(act(W₁ · norm(x_BD) + b₁)) + b₂`, or `W · norm(x_BD) + b` without a hidden layer; the norm is optional.
///
/// The cheapest way to train on a large backbone: it is run once, elsewhere, and only the head is trained. The features are what
/// `embed` gives, so that noise at the input acts on them.
public struct FeatureHead: Encoder {
    /// Sizes and choices of a head.
    public struct Configuration: Sendable, Equatable {
        /// D.
        public var inputs: Int
        /// F; nil for a linear map.
        public var hidden: Int?
        public var activation: Activation
        /// Whether each row is normalised to mean 0 and deviation 1 first, with a learned gain and shift.
        public var inputNorm: Bool
        /// Probability of dropping an element of the hidden layer, or of the features where there is none.
        public var dropout: Float
        public var embedding: Int

        public init(
            inputs: Int, hidden: Int?, activation: Activation, inputNorm: Bool, dropout: Float, embedding: Int
        ) {
            self.inputs = inputs
            self.hidden = hidden
            self.activation = activation
            self.inputNorm = inputNorm
            self.dropout = dropout
            self.embedding = embedding
        }
    }

    public let configuration: Configuration
    private let inputNorm: LayerNorm?
    private let hidden: Linear?
    private let projection: Linear
    private let dropoutStream: UInt32

    public init(_ plan: inout ParameterPlan, _ name: String, _ configuration: Configuration) {
        let deviation = { (inputs: Int) in 1 / Float(inputs).squareRoot() }
        self.configuration = configuration
        inputNorm = configuration.inputNorm ? LayerNorm(&plan, "\(name).input_norm", width: configuration.inputs) : nil
        hidden = configuration.hidden.map {
            Linear(
                &plan, "\(name).hidden", inputs: configuration.inputs, outputs: $0,
                activation: configuration.activation, deviation: deviation(configuration.inputs))
        }
        let last = configuration.hidden ?? configuration.inputs
        projection = Linear(
            &plan, "\(name).projection", inputs: last, outputs: configuration.embedding, deviation: deviation(last))
        dropoutStream = plan.declareDropout()
    }

    public var outputColumns: Int { configuration.embedding }
    public var width: Int { configuration.inputs }

    public func tokenRows(of input: EncoderInput) -> Int { input.rows }

    public func embed(_ input: EncoderInput, _ parameters: Parameters, on tape: Tape) -> Tensor {
        guard case .features(let values, let count) = input else {
            preconditionFailure("a head on features was given text or pictures")
        }
        precondition(
            values.count == count * configuration.inputs,
            "\(values.count) values for \(count) rows of \(configuration.inputs) features")
        return Tensor(values, shape: [count, configuration.inputs])
    }

    public func encode(_ tokens: Tensor, of input: EncoderInput, _ parameters: Parameters, on tape: Tape) -> Tensor {
        var x = inputNorm.map { $0(tokens, parameters, on: tape) } ?? tokens
        if let hidden { x = hidden(x, parameters, on: tape) }
        x = tape.dropout(x, probability: configuration.dropout, stream: dropoutStream)
        return projection(x, parameters, on: tape)
    }

    public func forwardFLOPs(of input: EncoderInput) -> Double {
        let last = Double(configuration.hidden ?? configuration.inputs)
        let products = Double(configuration.hidden ?? 0) * Double(configuration.inputs) + last * Double(outputColumns)
        return 2 * Double(input.rows) * products
    }
}
