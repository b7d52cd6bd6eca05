// Which published tensor fills which part of which parameter. Not here: the families' names, reading and writing.

/// A tensor of a published model, and where its elements lie among a tower's parameters.
public struct PublishedTensor: Sendable, Equatable {
    /// Elements of a parameter, in the tensor's order.
    public struct Piece: Sendable, Equatable {
        /// The parameter's name without the tower's.
        public var parameter: String
        /// First element within the parameter.
        public var offset: Int
        public var count: Int
    }

    /// The published name; a tensor of another directory of the model has its path in front: `2_Dense/linear.weight`.
    public var name: String
    public var shape: [Int]
    /// Whether the pieces together are the transpose of this matrix.
    public var isTransposed: Bool
    public var pieces: [Piece]
}

/// Collects the tensors of a tower while its family names them.
struct TensorMap {
    private(set) var tensors: [PublishedTensor] = []

    /// One tensor is one parameter, whose shape may be written otherwise: a convolution's weight is a matrix here.
    mutating func add(_ name: String, _ shape: [Int], _ parameter: String, isTransposed: Bool = false) {
        let count = shape.reduce(1, *)
        tensors.append(
            PublishedTensor(
                name: name, shape: shape, isTransposed: isTransposed,
                pieces: [PublishedTensor.Piece(parameter: parameter, offset: 0, count: count)]))
    }

    /// Weight and bias of a linear map or a norm.
    mutating func addLinear(_ name: String, _ shape: [Int], bias: Bool = true, _ parameter: String) {
        add("\(name).weight", shape, "\(parameter).weight")
        if bias { add("\(name).bias", [shape[0]], "\(parameter).bias") }
    }

    /// Three maps of D rows that are one map of 3 D rows here.
    mutating func addQueryKeyValue(_ names: [String], width: Int, bias: Bool = true, _ parameter: String) {
        for (part, name) in names.enumerated() {
            tensors.append(
                PublishedTensor(
                    name: "\(name).weight", shape: [width, width], isTransposed: false,
                    pieces: [
                        .init(parameter: "\(parameter).weight", offset: part * width * width, count: width * width)
                    ]))
            guard bias else { continue }
            tensors.append(
                PublishedTensor(
                    name: "\(name).bias", shape: [width], isTransposed: false,
                    pieces: [.init(parameter: "\(parameter).bias", offset: part * width, count: width)]))
        }
    }

    /// One tensor that is several parameters here, one after the other.
    mutating func add(_ name: String, _ shape: [Int], split: [(parameter: String, count: Int)]) {
        tensors.append(
            PublishedTensor(
                name: name, shape: shape, isTransposed: false,
                pieces: split.map { .init(parameter: $0.parameter, offset: 0, count: $0.count) }))
    }
}
