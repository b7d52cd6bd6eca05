// Keys of the sections `evaluate`, `checkpoint`, `agreement` and `log`: what happens every so many steps beside training.

extension RunConfig {
    /// Named data files, in the order written.
    public struct EvaluationSets: Sendable, Equatable, ConfigValue {
        public struct Item: Sendable, Equatable {
            public var name: String
            public var path: String
        }
        public var items: [Item]

        public init(_ items: [Item] = []) { self.items = items }
    }

    public struct Evaluate: Sendable, Equatable {
        /// Steps; nil for the end of training only.
        public var every: Int? = 100
        public var sets = EvaluationSets()
        /// Rows.
        public var chunk = 256
        /// Deviation; 0 for none.
        public var perturbation = 0.0
        /// Whether each query's place is written.
        public var places = false
        public init() {}

        /// What a set is called when it is scored with the perturbation.
        static func perturbed(_ set: String) -> String { "\(set)_perturbed" }
    }

    /// What becomes of a run whose checkpoint cannot be written.
    public enum SaveErrorPolicy: String, ConfigChoice, Sendable { case stop, `continue` }

    /// Which evaluation decides that a checkpoint is the best.
    public struct Best: Sendable, Equatable {
        public enum Goal: String, ConfigChoice, Sendable { case maximum, minimum }
        /// A name of `evaluate.sets`; nil for none.
        public var set: String?
        /// As in metrics.jsonl, behind the set's name.
        public var metric = "query_to_target.precision_at_1"
        public var goal = Goal.maximum
        public init() {}
    }

    public struct Checkpoint: Sendable, Equatable {
        /// Steps; nil for the end of training only.
        public var every: Int? = 100
        public var keep = 3
        public var best = Best()
        /// Whether training goes on while files are written.
        public var asynchronous = true
        public var onError = SaveErrorPolicy.stop
        public init() {}
    }

    public struct Agreement: Sendable, Equatable {
        /// Steps; nil for never.
        public var every: Int? = 100
        public init() {}
    }

    public struct Log: Sendable, Equatable {
        /// Steps.
        public var every = 10
        /// Whether an event file for TensorBoard is written.
        public var tensorboard = true
        public init() {}
    }
}

extension RunConfig.EvaluationSets {
    static var typeName: String { "mapping of names to paths" }

    init?(_ tree: ConfigTree) {
        let items = tree.items { name, value in String(value).map { Item(name: name, path: $0) } }
        guard let items else { return nil }
        self.init(items)
    }

    var yaml: String { "{" + items.map { "\($0.name.yaml): \($0.path.yaml)" }.joined(separator: ", ") + "}" }
}

extension RunConfig.Evaluate: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value(
            "every", &every, allowed: .optional(.steps), effect: .bookkeeping,
            "Steps between evaluations; null: at the end only.")
        keys.value("sets", &sets, effect: .bookkeeping, "Held-out data files by name.")
        keys.value(
            "chunk", &chunk, allowed: .within(1...1_073_741_824), effect: .bookkeeping, "Rows encoded at a time.")
        keys.value(
            "perturbation", &perturbation, allowed: .atLeast(0), effect: .bookkeeping,
            "Deviation of Gaussian noise on what enters the encoders, as a share of each row's root mean square: every set is scored a "
                + "second time with it, as SET_perturbed. 0: it is not.")
        let rule = Allowed<String>.fileName
        let unusable = sets.items.map(\.name).first { !rule.contains($0) }
        keys.require(
            unusable == nil, at: "sets",
            "found the name '\(ConfigTree.shortened(unusable ?? ""))', expected names \(rule.words)")
        let names = Set(sets.items.map(\.name))
        let taken = names.sorted().first { names.contains(Self.perturbed($0)) }
        keys.require(
            perturbation == 0 || taken == nil, at: "sets",
            "\(taken ?? "") with perturbation is \(Self.perturbed(taken ?? "")), which is a set of its own; rename one of them"
        )
        keys.value(
            "places", &places, effect: .bookkeeping,
            "Whether the place of each query's target in the last evaluation is kept, in places/SET.DIRECTION.npy of the run's folder."
        )
    }
}

extension RunConfig.Best: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value(
            "set", &set, effect: .bookkeeping,
            "The evaluation set that decides, a name of evaluate.sets; null: none does.")
        keys.value(
            "metric", &metric, effect: .bookkeeping, onlyWhen: .when(set != nil, "set is given"),
            "What decides, as metrics.jsonl has it behind the set's name.")
        keys.value(
            "goal", &goal, effect: .bookkeeping, onlyWhen: .when(set != nil, "set is given"),
            "Whether the greatest or the least value is the best.")
    }
}

extension RunConfig.Checkpoint: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value(
            "every", &every, allowed: .optional(.steps), effect: .bookkeeping,
            "Steps between checkpoints; null: at the end only.")
        keys.value(
            "keep", &keep, allowed: .within(1...1_000_000), effect: .bookkeeping,
            "Latest checkpoints kept; older ones are removed.")
        keys.section(
            "best", &best,
            "The checkpoint of the best evaluation is kept beyond the latest, and named in checkpoints/best.json.")
        keys.value(
            "asynchronous", &asynchronous, effect: .bookkeeping,
            "Whether training goes on, from a copy of the state, while a checkpoint is written.")
        keys.value(
            "on_error", &onError, effect: .bookkeeping,
            "When a checkpoint cannot be written: stop ends the run; continue warns, trains on, and tries again at the next."
        )
    }
}

extension RunConfig.Agreement: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value(
            "every", &every, allowed: .optional(.steps), effect: .bookkeeping,
            "Steps between comparisons of the ranks' parameters, which are also made before every checkpoint; null: never."
        )
    }
}

extension Allowed where Value == Int {
    /// A number of steps, or of a step.
    static var steps: Allowed { .within(1...1_000_000_000_000) }
}

extension RunConfig.Log: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value(
            "every", &every, allowed: .steps, effect: .bookkeeping,
            "Steps between rows of metrics.jsonl and lines of progress.")
        keys.value(
            "tensorboard", &tensorboard, effect: .bookkeeping,
            "Whether numbers, spectra and retrieved pictures are also written for TensorBoard, into the run's folder.")
    }
}
