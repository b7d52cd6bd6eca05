// Keys of the sections `loss` and `optimizer`. Not here: losses (Losses), updates and schedules (Optimizers).

public import Losses

extension ContrastiveLossOptions.Kind: ConfigChoice {}

extension RunConfig {
    public struct Temperature: Sendable, Equatable {
        public var initial = Automatic<Double>.automatic
        static let standard = 0.07
        public var learned = true
        public var minimum = 0.01
        public var maximum = 1.0
        public init() {}
    }

    public struct Bias: Sendable, Equatable {
        public var initial = Automatic<Double>.automatic
        static let standard = -10.0
        public var learned = true
        public init() {}
    }

    public struct Loss: Sendable, Equatable {
        public var kind = ContrastiveLossOptions.Kind.symmetric
        public var temperature = Temperature()
        public var matryoshka = Matryoshka()
        /// Of the sigmoid loss only.
        public var bias = Bias()
        /// Columns of the logits held at a time.
        public var tile = Automatic<Int>.automatic
        public init() {}
    }

    public enum OptimizerKind: String, ConfigChoice, Sendable { case adamw, sgd, lion, lamb }
    public enum ScheduleKind: String, ConfigChoice, Sendable { case constant, linear, cosine }

    /// How long the learning rate rises.
    public enum WarmUp: Sendable, Equatable, ConfigValue {
        case steps(Int)
        /// Of all steps, above 0 and below 1: `warmup_ratio` of transformers, but to the nearest whole step.
        case share(Double)

        /// Steps of a run of `total`.
        func steps(of total: Int) -> Int {
            switch self {
            case .steps(let count): count
            case .share(let share): Int((share * Double(total)).rounded())
            }
        }
    }

    public struct Schedule: Sendable, Equatable {
        public var kind = ScheduleKind.cosine
        public var warmup = WarmUp.steps(0)
        /// The last learning rate as a share of the highest.
        public var floor = 0.0
        public init() {}
    }

    /// β₁ and β₂.
    public struct Betas: Sendable, Equatable, ConfigValue {
        public var first: Double
        public var second: Double

        public init(first: Double, second: Double) {
            self.first = first
            self.second = second
        }
    }

    public struct Optimizer: Sendable, Equatable {
        public var kind = OptimizerKind.adamw
        public var learningRate = 1e-3
        public var betas = Betas(first: 0.9, second: 0.98)
        public var epsilon = 1e-6
        /// Of SGD.
        public var momentum = 0.9
        public var nesterov = false
        public var weightDecay = 0.1
        /// Norm; nil for none.
        public var clip: Double? = 1
        public var schedule = Schedule()
        /// Factor of the learning rate from one block to the one below it.
        public var layerDecay = 1.0
        public var rates = Rates()
        public init() {}
    }
}

extension RunConfig.WarmUp {
    static var typeName: String { "integer from 0 to \(largest), or number between 0 and 1" }
    private static let largest = 1_000_000_000_000

    init?(_ tree: ConfigTree) {
        if let count = Int(tree), (0...Self.largest).contains(count) {
            self = .steps(count)
        } else if let share = Double(tree), share < 1, share >= 0 {
            self = share > 0 ? .share(share) : .steps(0)
        } else {
            return nil
        }
    }

    var yaml: String {
        switch self {
        case .steps(let count): count.yaml
        case .share(let share): share.yaml
        }
    }
}

extension RunConfig.Betas {
    static var typeName: String { "[β₁, β₂], each from 0 to below 1" }

    init?(_ tree: ConfigTree) {
        guard case .sequence(let elements) = tree.content, elements.count == 2, let first = Double(elements[0]),
            let second = Double(elements[1]), (0..<1).contains(first), (0..<1).contains(second)
        else { return nil }
        self.init(first: first, second: second)
    }

    var yaml: String { "[\(first.yaml), \(second.yaml)]" }
}

extension RunConfig.Temperature: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value(
            "initial", &initial, allowed: .automatic(.above(0)),
            "τ at the first step: logits are similarities divided by it; auto: that of model.init, else \(Self.standard)."
        )
        keys.value("learned", &learned, "Whether τ is trained with the model.")
        keys.value("minimum", &minimum, allowed: .above(0), "Least τ; a published one may be less.")
        keys.value("maximum", &maximum, allowed: .above(0), "Greatest τ.")
        let start = initial.resolved(Self.standard)
        // Logits are multiplied by 1/τ in float32.
        for (key, value) in [("initial", start), ("minimum", minimum), ("maximum", maximum)] {
            keys.require(
                Float(value).isFinite && Float(value) > 0 && (1 / Float(value)).isFinite, at: key,
                "\(key) \(value) is a number that float32 does not hold, or not the inverse of")
        }
        keys.require(
            minimum <= start && start <= maximum, at: "initial",
            "initial \(start) is outside minimum \(minimum) … maximum \(maximum)")
    }
}

extension RunConfig.Bias: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value(
            "initial", &initial,
            "The bias added to the logits at the first step; auto: that of model.init, else \(Self.standard.yaml).")
        keys.value("learned", &learned, "Whether the bias is trained with the model.")
    }
}

extension RunConfig.Loss: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value(
            "kind", &kind,
            "infonce: query to target; symmetric: the mean of both directions; sigmoid: every pair by itself.")
        keys.section("temperature", &temperature, "The temperature τ of the logits.")
        keys.section(
            "matryoshka", &matryoshka, "Nested embeddings; a list alone is the dimensions.")
        keys.section(
            "bias", &bias, onlyWhen: .when(kind == .sigmoid, "loss.kind is sigmoid"),
            "The bias of the sigmoid loss; only with kind sigmoid.")
        keys.value(
            "tile", &tile, allowed: .automatic(.within(1...1_073_741_824)), effect: .bookkeeping,
            "Columns of the logits computed at a time: memory is local batch × tile.")
    }
}

extension RunConfig.Schedule: ConfigSection {
    static var shorthandKey: String? { "kind" }

    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value("kind", &kind, "After the warm-up: constant, or falling to the floor along a line or half a cosine.")
        keys.value(
            "warmup", &warmup,
            "Steps in which the learning rate rises to its highest, or, below 1, their share of all steps: 0.1 is a tenth."
        )
        keys.value("floor", &floor, allowed: .within(0...1), "Last learning rate as a share of the highest.")
    }
}

extension RunConfig.Optimizer: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value("kind", &kind, "The rule of the update.")
        let isSGD = Applicability.when(kind == .sgd, "optimizer.kind is sgd")
        let isAdaptive = Applicability.when(kind == .adamw || kind == .lamb, "optimizer.kind is adamw or lamb")
        keys.value("learning_rate", &learningRate, allowed: .above(0), "Highest learning rate.")
        keys.value(
            "betas", &betas, onlyWhen: .when(kind != .sgd, "optimizer.kind is adamw, lamb or lion"),
            "How much of the first and second moment a step keeps; lion: what the update takes, and what the momentum keeps."
        )
        keys.value(
            "epsilon", &epsilon, allowed: .above(0), onlyWhen: isAdaptive, "Added to the root of the second moment.")
        keys.value(
            "momentum", &momentum, allowed: .within(0..<1), onlyWhen: isSGD, "How much of the momentum a step keeps.")
        keys.value(
            "nesterov", &nesterov, onlyWhen: isSGD,
            "Whether the gradient is taken as if the next step were made already.")
        keys.value(
            "weight_decay", &weightDecay, allowed: .atLeast(0),
            "Decoupled decay of matrices and embeddings; never of biases, norms, temperature.")
        keys.value(
            "clip", &clip, allowed: .optional(.above(0)),
            "Norm to which a larger gradient is scaled down; null for none.")
        keys.value(
            "layer_decay", &layerDecay, allowed: Allowed(words: "above 0, at most 1") { $0 > 0 && $0 <= 1 },
            "Factor of the learning rate from one block to the next one below it; 1 for one rate.")
        keys.value(
            "rates", &rates,
            "Factors of the learning rate by patterns over parameters: `{'*.projection': 10}`; the last that matches counts."
        )
        keys.section("schedule", &schedule, "The learning rate's course over training; a word alone is its kind.")
    }
}
