// From a row's captions to tokens. Not here: the tokenizer (Tokenizers).

import Randomness
public import Tokenizers

/// How texts are prepared.
public struct TextPreparation: Sendable {
    public var tokenizer: any TextTokenizer
    /// T, marks included; longer texts are cut.
    public var contextLength: Int
    /// Probability that a training row shows its main caption, rather than one made of its alternatives, where it has any.
    public var nameProbability: Double

    public init(tokenizer: any TextTokenizer, contextLength: Int, nameProbability: Double = 0.9) {
        precondition(contextLength >= 2, "a context of \(contextLength) tokens cannot hold start and end of text")
        precondition((0...1).contains(nameProbability), "a probability of \(nameProbability)")
        self.tokenizer = tokenizer
        self.contextLength = contextLength
        self.nameProbability = nameProbability
    }
}

/// The caption of a row in a step.
enum CaptionChoice {
    /// At most so many alternatives make one caption.
    static let maximumAlternatives = 3

    /// Whether the row shows its name even if it has alternatives: they need not be read then.
    static func showsName(nameProbability: Double, field: RandomField, step: Int, row: Int) -> Bool {
        Double(field.uniform(step: step, row: row, column: 0)) < nameProbability
    }

    /// `name` with probability `nameProbability`; else 1, 2 or 3 (as many as there are) different alternatives, each number equally
    /// likely, in random order with a space between. A function of the field, the step and the global row.
    static func caption(
        _ name: String, alternatives: [String], nameProbability: Double, field: RandomField, step: Int, row: Int
    ) -> String {
        guard !alternatives.isEmpty, Double(field.uniform(step: step, row: row, column: 0)) >= nameProbability else {
            return name
        }
        let number =
            1 + field.integer(below: min(maximumAlternatives, alternatives.count), step: step, row: row, column: 1)
        var left = Array(alternatives.indices)
        var chosen: [String] = []
        for draw in 0..<number {
            let place = field.integer(below: left.count, step: step, row: row, column: 2 + draw)
            chosen.append(alternatives[left[place]])
            left.swapAt(place, left.count - 1)
            left.removeLast()
        }
        return chosen.joined(separator: " ")
    }
}
