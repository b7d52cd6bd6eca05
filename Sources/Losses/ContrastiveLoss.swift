// Contrastive losses of the global batch: what a caller gives and gets. Not here: the sums themselves (SoftmaxLoss.swift,
// SigmoidLoss.swift), what travels between ranks (GlobalBatch.swift), the bounds of a learned temperature (Training).
//
// B: local queries · N: queries of the global batch · k: targets a query brings · M = k·N: columns · E: embedding width.

public import Buffers
public import Collectives
import Failures

/// Which loss, and how it is computed. Written once; the same on every rank.
public struct ContrastiveLossOptions: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        /// Cross-entropy of each query over all targets.
        case infonce
        /// Mean of that and of the cross-entropy of each positive over all queries.
        case symmetric
        /// Independent binary decisions (SigLIP).
        case sigmoid
    }

    /// The number type of logits and of their gradients; inputs and results are float32 always.
    public enum Precision: String, Sendable, CaseIterable {
        /// float64 where it costs nothing (N·M·E ≤ 2²⁷) or is needed (‖q‖·‖t‖/τ > 128 for some pair), else float32.
        case automatic
        case single
        case double
    }

    public var kind: Kind
    /// Columns of logits held at a time; nil chooses, and keeps all logits where they are few.
    public var tile: Int?
    /// k: the positive and k − 1 explicit negatives of each query.
    public var targetsPerQuery: Int
    public var precision: Precision
    /// Rows to look at, rounded up to whole strips: the loss is the mean over them, each against all targets, and gradients are those
    /// of that mean. nil: all. For estimates of loss and time at sizes too large for all. Not for `symmetric`, whose columns need all
    /// rows.
    public var sampledRows: Int?

    public init(
        kind: Kind = .symmetric, tile: Int? = nil, targetsPerQuery: Int = 1, precision: Precision = .automatic,
        sampledRows: Int? = nil
    ) {
        self.kind = kind
        self.tile = tile
        self.targetsPerQuery = targetsPerQuery
        self.precision = precision
        self.sampledRows = sampledRows
    }
}

/// The loss of the global batch and its gradients with respect to this rank's rows.
public struct LossResult: Sendable {
    /// Where the first value was found that is not finite, in rank order.
    public struct NonFinite: Sendable, Equatable, CustomStringConvertible {
        public enum Place: Int, Sendable {
            case query, target, loss, queryGradient, targetGradient
        }
        public let rank: Int
        /// The rank's local row: of the queries for `query`, `loss` and `queryGradient`, of the targets else.
        public let row: Int
        public let place: Place

        public init(rank: Int, row: Int, place: Place) {
            self.rank = rank
            self.row = row
            self.place = place
        }

        public var description: String { "\(place) of row \(row) on rank \(rank) is not finite" }
    }

    /// Mean over the N queries of the global batch; the same on every rank.
    public var loss: Double
    /// d loss / d queries, B×E.
    public var dqueries: Floats
    /// d loss / d targets, kB×E, complete: every rank's rows have contributed.
    public var dtargets: Floats
    /// d loss / dτ; the same on every rank.
    public var temperatureGradient: Double
    /// d loss / db; 0 for the losses without a bias; the same on every rank.
    public var biasGradient: Double
    /// Share of queries whose positive beats all other columns that take part; equality counts against; the same on every rank.
    public var precisionAt1: Double
    /// N, of valid rows; of a sample, its rows.
    public var rows: Int
    /// M, of valid rows.
    public var columns: Int
    /// Set on all ranks or on none; then loss and gradients are NaN and nothing may be updated.
    public var nonFinite: NonFinite?
    /// No |z_ij| of the global batch is above this product of its largest ‖q‖, its largest ‖t‖ and 1/τ; the same on every rank.
    public var largestLogit = 0.0
}

/// A contrastive loss over a global batch whose rows are spread over ranks.
///
/// With s_ij = ⟨q_i, t_j⟩, z_ij = s_ij/τ, A_i the columns that take part in row i, and `i` also the column of its own positive:
/// ```
/// infonce     L = 1/N Σ_i [ log Σ_{j ∈ A_i} exp z_ij − z_ii ]
/// symmetric   L = ½ infonce + ½ · 1/N Σ_j [ log Σ_{i ∈ A'_j} exp z_ij − z_jj ]     (j: the N positives, i: the N queries)
/// sigmoid     L = −1/N Σ_i Σ_{j ∈ A_i} log sigmoid(y_ij (s_ij/τ + b)),  y_ii = 1, −1 else
/// ```
/// A_i is everything but the columns whose id equals row i's, the own positive apart, which stays. Explicit negatives are columns
/// of every query. The function is pure: rows as given, no normalisation, no state.
///
/// Each rank keeps its columns, and the queries of all ranks visit it strip by strip. Memory O(B·tile) for logits beside one strip's
/// rows, never O(B·N), and no rank holds the gathered batch. Nothing is divided or multiplied by the world size: rows are divided by N
/// once, and the queries' gradients return by a reduce-scatter that sums. See docs/mathematics-loss.md.
///
/// Sources: van den Oord et al., arXiv 1807.03748, eq. 4 (infonce); Radford et al., arXiv 2103.00020, figure 3 (symmetric); Zhai et
/// al., arXiv 2303.15343, eq. 1 (sigmoid; there τ and b enter as exp(t') = 1/τ and b).
public struct ContrastiveLoss: Sendable {
    public let options: ContrastiveLossOptions

    public init(_ options: ContrastiveLossOptions) {
        precondition(options.targetsPerQuery >= 1, "\(options.targetsPerQuery) targets per query")
        precondition(options.tile.map { $0 >= 1 } ?? true, "a tile of \(options.tile ?? 0) columns")
        precondition(
            options.sampledRows.map { $0 >= 1 && options.kind != .symmetric } ?? true,
            "a sample of \(options.sampledRows ?? 0) rows for the \(options.kind) loss")
        self.options = options
    }

    /// The loss, and its gradients unless `gradients` is false (then they are empty). *Collective.*
    ///
    /// - Parameters:
    ///   - queries_BE: local queries. B may differ between ranks and be 0.
    ///   - targets_KBE: kB local targets: the positives of the local queries, then k − 1 blocks of B negatives.
    ///   - ids: of the B positives, or of all kB targets; nil everywhere or nowhere (ranks with B = 0 apart).
    ///   - rows: B.
    ///   - columns: E.
    ///   - temperature: τ > 0, the same on every rank.
    ///   - bias: b of the sigmoid loss; ignored by the others.
    ///   - valid: rows that take part; a row that does not brings neither query nor targets, and its gradients are 0. nil: all.
    /// - Throws: `Failure(.internal)` on all ranks when they disagree on E, k, kind, τ, b or ids; `CollectiveError`.
    public func callAsFunction(
        queries queries_BE: Floats, targets targets_KBE: Floats, ids: [Int64]? = nil, rows: Int, columns: Int,
        temperature: Float, bias: Float = 0, valid: [Bool]? = nil, communicator: any Communicator,
        gradients: Bool = true
    ) throws -> LossResult {
        let k = options.targetsPerQuery
        precondition(rows >= 0 && columns > 0, "\(rows) rows of \(columns) columns")
        precondition(queries_BE.count == rows * columns, "\(queries_BE.count) numbers for \(rows)×\(columns) queries")
        precondition(
            targets_KBE.count == k * rows * columns, "\(targets_KBE.count) numbers for \(k)·\(rows)×\(columns) targets")
        precondition(
            ids.map { $0.count == rows || $0.count == k * rows } ?? true,
            "\(ids?.count ?? 0) ids for \(rows) rows, k = \(k)")
        precondition(valid.map { $0.count == rows } ?? true, "\(valid?.count ?? 0) validity flags for \(rows) rows")
        precondition(temperature > 0 && temperature.isFinite, "temperature \(temperature) is not positive")

        let selection = RowSelection(valid: valid, rows: rows)
        let local = LocalRows(
            queries_BE: selection.gather(queries_BE, columns: columns),
            targets_KBE: selection.gather(targets_KBE, columns: columns), ids: ids.map { selection.gather($0) },
            selection: selection, columns: columns, targetsPerQuery: k, temperature: Double(temperature),
            bias: options.kind == .sigmoid ? Double(bias) : 0)
        let census = try Census(local, options: options, communicator: communicator)
        var result: LossResult
        if let nonFinite = census.nonFinite {
            result = census.failed(nonFinite, local, gradients: gradients)
        } else if census.usesDouble {
            result = try evaluate(Double.self, local, census, communicator, gradients)
        } else {
            result = try evaluate(Float.self, local, census, communicator, gradients)
        }
        result.largestLogit = census.largestLogit
        guard gradients else { return result }
        result.dqueries = selection.scatter(result.dqueries, blocks: 1, columns: columns)
        result.dtargets = selection.scatter(result.dtargets, blocks: k, columns: columns)
        return result
    }

    private func evaluate<Element: LogitArithmetic>(
        _: Element.Type, _ local: LocalRows, _ census: Census, _ communicator: any Communicator, _ gradients: Bool
    ) throws -> LossResult {
        let batch = try GlobalBatch<Element>(local, census, communicator)
        let sums = LossSums(batch, gradients: gradients)
        switch options.kind {
        case .infonce, .symmetric:
            try SoftmaxLoss(
                batch, tile: options.tile, bothWays: options.kind == .symmetric, sampledRows: options.sampledRows
            ).evaluate(into: sums, communicator)
        case .sigmoid:
            try SigmoidLoss(batch, tile: options.tile, sampledRows: options.sampledRows)
                .evaluate(into: sums, communicator)
        }
        return try sums.finish(local, communicator)
    }
}
