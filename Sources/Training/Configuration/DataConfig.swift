// Keys of the sections `data` and `batch`. Not here: reading the data (Datasets).

public import Datasets

extension LastBatch: ConfigChoice {}
extension ColumnKind: ConfigChoice {}

extension RunConfig {
    public enum ErrorPolicy: String, ConfigChoice, Sendable { case fail, skip }

    public struct Captions: Sendable, Equatable {
        public var nameProbability = 0.9
        public init() {}
    }

    public struct Data: Sendable, Equatable {
        /// Nil where there are `sources`.
        public var train: Paths?
        public var sources: [Source] = []
        /// Rows; nil for all.
        public var limit: Int?
        /// Share of rows.
        public var wrongPairs = 0.0
        public var batches = BatchMixing.mixed
        public var query = SideSource()
        public var target = SideSource()
        public var negatives = Negatives()
        public var captions = Captions()
        public var augment = Augment()
        public var onError = ErrorPolicy.fail
        /// Share of rows.
        public var maxSkipped = 0.01
        public var cache = ByteCount(bytes: 512 << 20)
        /// Batches.
        public var prefetch = 2
        public var distinctIDs = true
        public init() {}
    }

    /// What becomes of the rows at the end of an epoch that do not fill a batch.
    public struct Batch: Sendable, Equatable {
        /// Rows of all ranks together, N.
        public var global = 128
        /// Rows that one rank encodes at a time; nil for all.
        public var cacheChunk: Int?
        /// Whether transformer blocks are computed again in the backward pass.
        public var checkpointsBlocks = false
        public var last = LastBatch.mask
        public init() {}
    }
}

extension RunConfig.Captions: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value(
            "name_probability", &nameProbability, allowed: .within(0...1),
            "Probability that the caption of a row in one epoch is its name; else it is made of its keywords, where it has any."
        )
    }
}

extension RunConfig.Data: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.sections(
            "sources", &sources,
            "Several sources of training data, instead of train; columns and prefixes that a source does not name are those of data."
        )
        keys.value(
            "train", &train, required: sources.isEmpty,
            "The training data: a path, a sequence of paths, braces or wildcards; JSONL, CSV, TSV, WebDataset or a folder of pictures."
        )
        keys.require(
            train == nil || sources.isEmpty, at: "train",
            "train and sources exclude each other; set one of them to null")
        keys.require(
            train != nil || !sources.isEmpty, at: "train",
            "neither train nor sources is given; one names the training data")
        keys.value(
            "limit", &limit, allowed: .optional(.within(2...1_000_000_000_000)),
            onlyWhen: .when(sources.isEmpty, "there are no sources"),
            "Rows trained on, spread evenly over train; null for all: for experiments with little data.")
        keys.value(
            "wrong_pairs", &wrongPairs, allowed: .within(0...1),
            onlyWhen: .when(sources.isEmpty, "there are no sources"),
            "Share of rows, a function of the seed, whose targets are dealt out among them anew: for experiments with errors in the data."
        )
        let weights = sources.count { $0.weight != nil }
        keys.require(
            weights == 0 || weights == sources.count, at: "sources",
            "\(weights) of \(sources.count) sources have a weight; give one to all or to none")
        keys.value(
            "batches", &batches,
            "mixed: a batch has rows of all sources; same_source: rows of one, so that all negatives come from it.")
        keys.section("query", &query, "Where queries come from.")
        keys.section("target", &target, "Where targets come from.")
        keys.section("negatives", &negatives, "Explicit negatives of queries, besides the other rows' targets.")
        keys.section("captions", &captions, "Choice among several captions of one row.")
        keys.section("augment", &augment, "Random changes of training pictures.")
        keys.value(
            "on_error", &onError, "fail: a row that cannot be read ends the run; skip: it is left out and counted.")
        keys.value(
            "max_skipped", &maxSkipped, allowed: .within(0...1), onlyWhen: .when(onError == .skip, "on_error is skip"),
            "Share of rows above which skipping ends the run.")
        keys.value(
            "cache", &cache, allowed: .atLeast(ByteCount(bytes: 0)), effect: .bookkeeping,
            "Memory of one rank for decoded pictures, and for rows as they were read (an eighth of it).")
        keys.value(
            "prefetch", &prefetch, allowed: .within(0...64), effect: .bookkeeping,
            "Batches prepared ahead; 0 prepares them in the step.")
        keys.value("distinct_ids", &distinctIDs, "Whether rows with equal ids are kept out of one batch.")
    }
}

extension RunConfig.Batch: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value("global", &global, allowed: .within(1...1_073_741_824), "Rows of all ranks together in one update.")
        keys.value(
            "cache_chunk", &cacheChunk, allowed: .optional(.within(1...1_073_741_824)), effect: .bookkeeping,
            "Rows that a rank encodes at a time (gradient caching): less memory, one more forward pass. null encodes all at once."
        )
        keys.value(
            "gradient_checkpointing", &checkpointsBlocks, effect: .bookkeeping,
            "Whether the backward pass computes each transformer block again from its input: less memory, one more forward pass."
        )
        keys.value("last", &last, "mask: an epoch's last, short batch is used as it is; drop: it is left out.")
    }
}
