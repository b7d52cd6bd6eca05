// What a model finds for a few questions of a held-out set: the file examples.json of a run. Not here: asking (Training), drawing
// (ExamplesMarkup.swift).

/// The examples of a run's latest evaluation.
public struct RetrievedExamples: Codable, Sendable, Equatable {
    public var step: Int
    public var sets: [ExampleSet]

    public init(step: Int, sets: [ExampleSet]) { (self.step, self.sets) = (step, sets) }
}

/// Those of one held-out set.
public struct ExampleSet: Codable, Sendable, Equatable {
    public var name: String
    public var examples: [RetrievedExample]

    public init(name: String, examples: [RetrievedExample]) { (self.name, self.examples) = (name, examples) }
}

/// One question and what was ranked first.
public struct RetrievedExample: Codable, Sendable, Equatable {
    /// Something that was asked for or found: a text, or where a picture lies.
    public enum Content: Codable, Sendable, Equatable {
        case text(String)
        /// A file, or `length` bytes from `offset` on of an archive.
        case picture(path: String, name: String, offset: Int?, length: Int?)
    }

    public struct Result: Codable, Sendable, Equatable {
        public var content: Content
        public var score: Double
        /// Whether it belongs to the question.
        public var isRight: Bool

        public init(_ content: Content, score: Double, isRight: Bool) {
            (self.content, self.score, self.isRight) = (content, score, isRight)
        }

        enum CodingKeys: String, CodingKey {
            case content, score
            case isRight = "right"
        }
    }

    /// `query_to_target` or `target_to_query`.
    public var direction: String
    public var question: Content
    /// Place of the best-placed answer that belongs to the question, from 1.
    public var place: Int
    /// How many could have been found.
    public var candidates: Int
    /// Best first.
    public var results: [Result]

    public init(direction: String, question: Content, place: Int, candidates: Int, results: [Result]) {
        self.direction = direction
        self.question = question
        self.place = place
        self.candidates = candidates
        self.results = results
    }
}
