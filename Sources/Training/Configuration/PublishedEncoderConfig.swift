// Keys of encoders that begin with published weights, and which of a model's two sides is which. Not here: reading those weights
// (ModelOrigins), the keys of encoders from scratch (ModelConfig).

import Encoders
import Failures

extension RunConfig {
    /// An encoder whose sizes are those of a published model.
    public struct PublishedEncoder: Sendable, Equatable {
        /// Directory; nil: that of `model.init`.
        public var initialization: String?
        /// `vit` or `text`; automatic until the directory has been looked at.
        public var kind = Automatic<EncoderKind>.automatic
        /// Tokens of the longest text; nil: as published.
        public var context: Int?
        /// How tokens become one vector; automatic: as published. Only of text that the family does not pool itself.
        public var pooling = Automatic<TextPooling>.automatic
        public var dropout = 0.0

        public init(initialization: String? = nil) { self.initialization = initialization }
    }
}

extension RunConfig.Encoder {
    /// Whether the encoder begins with published weights.
    var isPublished: Bool { if case .published = self { true } else { false } }

    /// Whether it is known what the encoder reads.
    var isResolved: Bool {
        if case .published(let published) = self { published.kind != .automatic } else { true }
    }

    /// Forgets sizes of an encoder from scratch; the published model has its own.
    mutating func becomePublished() {
        if !isPublished { self = .published(RunConfig.PublishedEncoder()) }
    }

    /// The key `init`, which decides what the other keys are.
    mutating func visitInitialization<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        var path: String?
        if case .published(let published) = self { path = published.initialization }
        keys.value(
            "init", &path,
            "Directory of a published model whose tower this side begins with; besides it only kind, context, pooling and dropout may be set. "
                + "null: from scratch, or from model.init."
        )
        guard let path else { return }
        becomePublished()
        if case .published(var published) = self {
            published.initialization = path
            self = .published(published)
        }
    }
}

extension RunConfig.PublishedEncoder {
    /// The keys after `init` and `kind`.
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.require(kind != .value(.features), at: "kind", "published encoders are vit or text")
        keys.value(
            "context", &context, allowed: .optional(.within(3...1_048_576)),
            "Tokens of the longest text; null: as published. Only of text.")
        keys.value(
            "pooling", &pooling,
            "How tokens become one representation; auto: as published. Only of BERT, RoBERTa and MPNet.")
        keys.value("dropout", &dropout, allowed: .within(0...0.999), "Share of activations dropped in training.")
    }
}

extension RunConfig.SideSource {
    /// Takes the prompt of the published model that the side begins with, where no prefix is given.
    mutating func resolvePrefix(_ directory: String?, _ prompt: (SentencePrompts) -> String) throws {
        guard prefix == .automatic, let directory else { return }
        prefix = .value(prompt(try SentencePrompts(ModelFiles(directory: directory))))
    }
}

extension RunConfig.Model {
    /// Rules between the keys of the section.
    func requireConsistency<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        for (name, encoder) in [("query", query), ("target", target)] {
            guard case .published(let published) = encoder, initialization != nil else { continue }
            keys.require(
                published.initialization == nil, at: name,
                "\(name).init is given, but model.init is that of both sides; set one of them to null")
        }
        guard shared == .value(true) else { return }
        keys.require(
            query == target && query.kind == .text, at: "shared",
            "one encoder for both sides needs query and target of kind text with equal keys")
    }

    /// The directory that one side begins with.
    func directory(_ encoder: RunConfig.Encoder) -> String? {
        guard case .published(let published) = encoder else { return nil }
        return published.initialization ?? initialization
    }

    /// Decides the kinds that were left to the directories, and whether the sides are one encoder.
    /// - Throws: what `PublishedModel` throws; `Failure(.configuration)` when a side can be either, or the directory holds no such tower.
    mutating func resolveKinds() throws {
        let before = self
        try resolve(\.query, name: "query", other: target, preferred: .vit)
        try resolve(\.target, name: "target", other: query, preferred: .text)
        if shared == .automatic, before.initialization != nil || query.isPublished || target.isPublished {
            let isOne = initialization != nil && query == target && query.kind == .text
            shared = .value(isOne)
        }
    }

    private mutating func resolve(
        _ side: WritableKeyPath<Self, RunConfig.Encoder>, name: String, other: RunConfig.Encoder,
        preferred: RunConfig.EncoderKind
    ) throws {
        guard case .published(var published) = self[keyPath: side], published.kind == .automatic,
            let path = directory(self[keyPath: side])
        else { return }
        let model = try PublishedModel(directory: path)
        switch (model.text != nil, model.vision != nil) {
        case (true, false): published.kind = .value(.text)
        case (false, true): published.kind = .value(.vit)
        default:
            guard initialization != nil else {
                throw Failure(
                    .configuration,
                    "model.\(name).init: \(path) holds a text and a picture encoder; say which with model.\(name).kind: text or vit"
                )
            }
            // Of a pair, one side is what the other is not.
            var kind = preferred
            if case .published(let other) = other, case .value(let taken) = other.kind {
                kind = taken == .vit ? .text : .vit
            }
            published.kind = .value(kind)
        }
        self[keyPath: side] = .published(published)
    }
}
