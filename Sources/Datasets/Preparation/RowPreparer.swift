// From rows of the data to both sides of a batch. Not here: which rows (GlobalSampler), when (BatchLoader, EvaluationSet).
//
// Shapes: B rows, k targets a row brings, S side of a picture.

import Buffers
import Failures
import Randomness
import Synchronization

/// How one side is prepared.
public enum SidePreparation: Sendable {
    case pictures(PicturePreparation)
    case text(TextPreparation)
    /// Features are taken as they are: `columns` of them.
    case features(columns: Int)

    var kind: ColumnKind {
        switch self {
        case .pictures: .picture
        case .text: .text
        case .features: .features
        }
    }
}

/// How both sides are prepared.
public struct PairPreparation: Sendable {
    public var query: SidePreparation
    public var target: SidePreparation

    public init(query: SidePreparation, target: SidePreparation) {
        self.query = query
        self.target = target
    }
}

/// Reads, decodes, augments and tokenises rows; what it gives depends on the data, the seed, the step and the global row alone.
///
/// A training row that turns out to be unreadable (a missing or damaged picture) is an error or, where the source skips, is replaced by
/// the next readable row of its source: the batch keeps its size, on any number of ranks. May be used from several threads.
final class RowPreparer: Sendable {
    let source: any PairSource
    private let pictures: PictureStore
    private let rows: RowStore
    private let sides: [Side]
    private let negatives: RandomField
    private let parts: [SourcePart]
    private let unreadable = Mutex<Set<Int>>([])

    /// One side: what is done, and its random functions.
    private struct Side {
        let preparation: SidePreparation
        let table: [Float]
        let augmentation: RandomField
        let caption: RandomField

        init(_ preparation: SidePreparation, index: UInt32, seed: UInt64) {
            self.preparation = preparation
            table = if case .pictures(let pictures) = preparation { pictures.normalization.table } else { [] }
            augmentation = RandomField(seed: seed, purpose: .augmentation, stream: index)
            caption = RandomField(seed: seed, purpose: .caption, stream: index)
        }

        /// Whether a training row's caption may be made of its alternatives.
        func needsAlternatives(step: Int, row: Int) -> Bool {
            guard case .text(let text) = preparation else { return false }
            return !CaptionChoice.showsName(
                nameProbability: text.nameProbability, field: caption, step: step, row: row)
        }
    }

    /// One side of one row, before it takes its place in a batch.
    private enum Prepared {
        case pixels([UInt8])
        case tokens([Int32])
        case features([Float])
    }

    /// - Throws: `Failure(.configuration)` if a column holds something else than its preparation expects.
    init(source: any PairSource, preparation: PairPreparation, seed: UInt64, cacheBytes: Int) throws {
        for (name, column, side) in [
            ("query", source.query, preparation.query), ("target", source.target, preparation.target),
        ]
        where column.kind != side.kind {
            throw Failure(
                .configuration,
                "the \(name) column \(column.name ?? "of the data") holds a \(column.kind.rawValue), but is prepared as a \(side.kind.rawValue)"
            )
        }
        self.source = source
        parts = source.parts
        negatives = RandomField(seed: seed, purpose: .negatives)
        // Rows are small beside pictures, and sooner read again.
        let rowBytes = cacheBytes / 8
        pictures = PictureStore(byteLimit: cacheBytes - rowBytes)
        rows = RowStore(source, byteLimit: rowBytes)
        sides = [preparation.query, preparation.target].enumerated().map { Side($1, index: UInt32($0), seed: seed) }
    }

    var kept: (pictures: Int, bytes: Int) { pictures.kept }

    /// Training rows of a rank.
    struct Rows {
        var queries: SideBatch
        /// Row by row: a row's own target, then its negatives.
        var targets: SideBatch
        var targetIDs: [Int64]
        /// The rows that were taken.
        var rows: [Int]
        /// The rows that could not be, and for which others were.
        var replaced: Set<Int>
    }

    /// Both sides of training rows, augmented, each target followed by `count` negatives.
    ///
    /// Of more negatives than wanted some are drawn, others in every step; of fewer, all are there and some of them repeated; a row
    /// without any gets targets of other rows of its source, which its own concept's are not. All of it is a function of seed, step
    /// and global row.
    /// - Parameter firstRow: place in the global batch of the first of `rows`.
    func training(rows: [Int], step: Int, firstRow: Int, negatives count: Int = 0) throws -> Rows {
        var taken: [Int] = []
        var ids: [Int64] = []
        var queries: [Prepared] = []
        var targets: [Prepared] = []
        var replaced: Set<Int> = []
        for (offset, row) in rows.enumerated() {
            let globalRow = firstRow + offset
            let first = globalRow * (1 + count)
            let alternatives =
                sides[0].needsAlternatives(step: step, row: globalRow)
                || sides[1].needsAlternatives(step: step, row: first)
            var passed: Set<Int> = []
            let (index, found) = try readable(row, &replaced) { index in
                let content = try self.rows.row(index, alternatives: alternatives)
                let chosen = try choose(
                    count, of: content, row: index, step: step, globalRow: globalRow, &passed)
                return (
                    try prepare(content.query, content.queryPrefix, content.place, side: 0, step: step, row: globalRow),
                    try chosen.enumerated().map { place, target in
                        try prepare(
                            target.side, content.targetPrefix, content.place, side: 1, step: step, row: first + place)
                    },
                    chosen.map { $0.id ?? PairBatch.noConcept }
                )
            }
            replaced.formUnion(passed)
            taken.append(index)
            queries.append(found.0)
            targets += found.1
            ids += found.2
        }
        return Rows(
            queries: assemble(queries, sides[0], step: step, firstRow: firstRow),
            targets: assemble(targets, sides[1], step: step, firstRow: firstRow * (1 + count)), targetIDs: ids,
            rows: taken, replaced: replaced)
    }

    /// A row's own target and `count` negatives.
    /// - Parameter replaced: gets the rows that a negative was to be of and that cannot be read.
    private func choose(
        _ count: Int, of content: PairRow, row: Int, step: Int, globalRow: Int, _ replaced: inout Set<Int>
    ) throws -> [Negative] {
        var chosen = [Negative(content.target, id: source.ids[row])]
        var pool = content.negatives
        if pool.isEmpty, count > 0 {
            let others = part(of: row).rows
            for place in 0..<count {
                let draw = negatives.integer(below: others.count, step: step, row: globalRow, column: place)
                let (index, other) = try readable(others.lowerBound + draw, &replaced) {
                    try rows.row($0, alternatives: false)
                }
                chosen.append(Negative(other.target, id: source.ids[index]))
            }
            return chosen
        }
        // A shuffle of as many as are needed, begun again when all have been.
        for place in 0..<count {
            let done = place % pool.count
            let draw = done + negatives.integer(below: pool.count - done, step: step, row: globalRow, column: place)
            pool.swapAt(done, draw)
            chosen.append(pool[done])
        }
        return chosen
    }

    private func part(of row: Int) -> SourcePart {
        parts.first { $0.rows.contains(row) } ?? SourcePart(rows: 0..<source.count, maximumNegatives: 0)
    }

    /// One side of rows as they are: no augmentation, main captions. Unreadable rows are errors.
    /// - Parameter side: 0 for queries, 1 for targets.
    func plain(rows: some Sequence<Int>, side: Int) throws -> SideBatch {
        let prepared = try rows.map {
            let row = try self.rows.row($0, alternatives: false)
            return side == 0
                ? try prepare(row.query, row.queryPrefix, row.place, side: 0, step: nil, row: 0)
                : try prepare(row.target, row.targetPrefix, row.place, side: 1, step: nil, row: 0)
        }
        return assemble(prepared, sides[side], step: nil, firstRow: 0)
    }

    /// What `read` makes of the row, or of the next one of its source that can be read.
    /// - Parameter replaced: gets the rows that cannot be.
    private func readable<Content>(
        _ row: Int, _ replaced: inout Set<Int>, _ read: (Int) throws -> Content
    ) throws -> (index: Int, content: Content) {
        let rows = part(of: row).rows
        var index = row
        var tried = 0
        while true {
            if !unreadable.withLock({ $0.contains(index) }) {
                do { return (index, try read(index)) } catch let failure as Failure {
                    guard case .skip(let share) = source.onError else { throw failure }
                    try noteUnreadable(index, share: share, failure)
                }
            }
            replaced.insert(index)
            tried += 1
            guard tried < rows.count else {
                throw Failure(.data, "no row of a source can be read: rows \(rows) of \(source.name)")
            }
            index = index + 1 < rows.upperBound ? index + 1 : rows.lowerBound
        }
    }

    private func noteUnreadable(_ index: Int, share: Double, _ failure: Failure) throws {
        let number = unreadable.withLock { unreadable in
            unreadable.insert(index)
            return unreadable.count
        }
        let (skipped, all) = (number + source.skipped, source.count + source.skipped)
        guard Double(skipped) <= share * Double(all), number < source.count else {
            throw Failure(
                .data,
                "\(skipped) of \(all) rows cannot be read, more than the share of \(share) allowed; the last: \(failure.message)"
            )
        }
    }

    /// - Parameters:
    ///   - step: nil for no augmentation and the main caption.
    ///   - row: number of this side among those of the global batch.
    private func prepare(
        _ content: PairSide, _ prefix: String, _ place: String, side index: Int, step: Int?, row: Int
    ) throws -> Prepared {
        let side = sides[index]
        switch (side.preparation, content) {
        case (.pictures(let preparation), .picture(let location)):
            let draw = step.map { RowDraw(field: side.augmentation, step: $0, row: row) }
            do { return .pixels(try pictures.pixels(location, preparation, draw: draw)) } catch let failure as Failure {
                throw Failure(failure.kind, "\(place): \(failure.message)")
            }
        case (.text(let preparation), .text(let name, let alternatives)):
            let caption =
                step.map {
                    CaptionChoice.caption(
                        name, alternatives: alternatives, nameProbability: preparation.nameProbability,
                        field: side.caption, step: $0, row: row)
                } ?? name
            return .tokens(try tokens(prefix + caption, preparation, place))
        case (.text(let preparation), .choice(let texts)):
            let chosen = step.map { side.caption.integer(below: texts.count, step: $0, row: row) } ?? 0
            return .tokens(try tokens(prefix + texts[chosen], preparation, place))
        case (.features(let columns), .features(let values)):
            guard values.count == columns else {
                throw Failure(.data, "\(place): the row has \(values.count) features, but the model takes \(columns)")
            }
            return .features(values)
        default: throw Failure(.internal, "\(place): the row holds something else than its column")
        }
    }

    private func tokens(_ text: String, _ preparation: TextPreparation, _ place: String) throws -> [Int32] {
        let tokens = preparation.tokenizer.encode(text, contextLength: preparation.contextLength)
        guard !tokens.isEmpty else {
            throw Failure(
                .data, "\(place): the tokenizer makes no token of the text '\(text.prefix(40))'; take the row out")
        }
        return tokens
    }

    private func assemble(_ rows: [Prepared], _ side: Side, step: Int?, firstRow: Int) -> SideBatch {
        if case .features(let columns) = side.preparation {
            let values = Floats(count: rows.count * columns)
            for case (let offset, .features(let row)) in rows.enumerated() {
                row.withUnsafeBufferPointer { row in
                    guard let source = row.baseAddress else { return }
                    (values.base + offset * columns).update(from: source, count: columns)
                }
            }
            return .features(values, columns: columns)
        }
        guard case .pictures(let preparation) = side.preparation else {
            var ids: [Int32] = []
            var offsets = [0]
            for case .tokens(let tokens) in rows {
                ids.append(contentsOf: tokens)
                offsets.append(ids.count)
            }
            return .text(ids: ids, offsets: offsets)
        }
        let stride = 3 * preparation.size * preparation.size
        let values = Floats(count: rows.count * stride)
        for case (let offset, .pixels(let pixels)) in rows.enumerated() {
            let change =
                step.map { PictureChange(preparation, field: side.augmentation, step: $0, row: firstRow + offset) }
                ?? PictureChange()
            pixels.withUnsafeBufferPointer { pixels in
                side.table.withUnsafeBufferPointer { table in
                    guard let pixels = pixels.baseAddress, let table = table.baseAddress else { return }
                    change.write(pixels, size: preparation.size, table: table, into: values.base + offset * stride)
                }
            }
        }
        return .pictures(values, size: preparation.size)
    }
}
