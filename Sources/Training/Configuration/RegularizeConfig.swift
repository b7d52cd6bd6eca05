// Keys of the section `regularize`: what others do instead of FANoise. Not here: what is done (Regularization).

extension RunConfig {
    /// Other methods against overfitting, to compare noise with. All are off unless asked for; dropout is a key of the encoders.
    public struct Regularize: Sendable, Equatable {
        /// α; 0 for none.
        public var neftune = 0.0
        /// Greatest share of the other row; 0 for none.
        public var mixup = 0.0
        public var labelSmoothing = 0.0
        /// Of each row; 0 for none.
        public var gaussianNegatives = 0
        public init() {}
    }
}

extension RunConfig.Regularize: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value(
            "neftune", &neftune, allowed: .atLeast(0),
            "α of NEFTune: uniform noise of α/√(L·D) on the L embedded tokens of D numbers of each sequence; 0: none.")
        keys.value(
            "mixup", &mixup, allowed: .within(0...0.5),
            "Queries' representations are mixed with those of other rows, and their labels with them: 1 − λ is uniform between 0 and this; "
                + "0: none.")
        keys.value(
            "label_smoothing", &labelSmoothing, allowed: .within(0..<1),
            "Share of every query's label that is spread evenly over the targets of the batch; 0: none.")
        keys.value(
            "gaussian_negatives", &gaussianNegatives, allowed: .within(0...1024),
            "Random unit vectors that every row adds to the negatives of all queries; 0: none.")
    }
}
