// From rows of the data to both sides of a batch. Not here: which rows (GlobalSampler), when (BatchLoader, EvaluationSet).
//
// Shapes: B rows, S side of a picture.

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
/// the next readable row of the data: the batch keeps its size, on any number of ranks. May be used from several threads.
final class RowPreparer: Sendable {
    let source: any PairSource
    private let store: PictureStore
    private let sides: [Side]
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
        func needsAlternatives(step: Int, globalRow: Int) -> Bool {
            guard case .text(let text) = preparation else { return false }
            return !CaptionChoice.showsName(
                nameProbability: text.nameProbability, field: caption, step: step, row: globalRow)
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
                "the \(name) column \(column.name) holds a \(column.kind.rawValue), but is prepared as a \(side.kind.rawValue)"
            )
        }
        self.source = source
        store = PictureStore(byteLimit: cacheBytes)
        sides = [preparation.query, preparation.target].enumerated().map { Side($1, index: UInt32($0), seed: seed) }
    }

    /// Rows found unreadable while preparing.
    var replacedRows: Int { unreadable.withLock { $0.count } }
    var kept: (pictures: Int, bytes: Int) { store.kept }

    /// Both sides of training rows, augmented, and the rows that were taken.
    /// - Parameter firstRow: place in the global batch of the first of `rows`.
    func training(rows: [Int], step: Int, firstRow: Int) throws -> (queries: SideBatch, targets: SideBatch, rows: [Int])
    {
        var taken: [Int] = []
        var prepared: [[Prepared]] = [[], []]
        for (offset, row) in rows.enumerated() {
            let (index, both) = try readable(row, step: step, globalRow: firstRow + offset)
            taken.append(index)
            for side in 0..<2 { prepared[side].append(both[side]) }
        }
        let batches = sides.indices.map { assemble(prepared[$0], sides[$0], step: step, firstRow: firstRow) }
        return (batches[0], batches[1], taken)
    }

    /// One side of rows as they are: no augmentation, main captions. Unreadable rows are errors.
    /// - Parameter side: 0 for queries, 1 for targets.
    func plain(rows: some Sequence<Int>, side: Int) throws -> SideBatch {
        let prepared = try rows.map {
            try prepare(source.row($0, alternatives: false), side: side, step: nil, globalRow: 0)
        }
        return assemble(prepared, sides[side], step: nil, firstRow: 0)
    }

    /// The row, or the next one that can be read.
    private func readable(_ row: Int, step: Int, globalRow: Int) throws -> (index: Int, sides: [Prepared]) {
        let alternatives = sides.contains { $0.needsAlternatives(step: step, globalRow: globalRow) }
        var index = row
        while true {
            if !unreadable.withLock({ $0.contains(index) }) {
                do {
                    let content = try source.row(index, alternatives: alternatives)
                    return (
                        index,
                        try sides.indices.map { try prepare(content, side: $0, step: step, globalRow: globalRow) }
                    )
                } catch let failure as Failure {
                    guard case .skip(let share) = source.onError else { throw failure }
                    try noteUnreadable(index, share: share, failure)
                }
            }
            index = (index + 1) % source.count
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

    private func prepare(_ row: PairRow, side index: Int, step: Int?, globalRow: Int) throws -> Prepared {
        let side = sides[index]
        switch (side.preparation, index == 0 ? row.query : row.target) {
        case (.pictures(let preparation), .picture(let path)):
            let draw = step.map { RowDraw(field: side.augmentation, step: $0, row: globalRow) }
            do { return .pixels(try store.pixels(path: path, preparation, draw: draw)) } catch let failure as Failure {
                throw Failure(failure.kind, "\(row.place): \(failure.message)")
            }
        case (.text(let preparation), .text(let name, let alternatives)):
            let caption =
                step.map {
                    CaptionChoice.caption(
                        name, alternatives: alternatives, nameProbability: preparation.nameProbability,
                        field: side.caption,
                        step: $0, row: globalRow)
                } ?? name
            return .tokens(preparation.tokenizer.encode(caption, contextLength: preparation.contextLength))
        case (.features(let columns), .features(let values)):
            guard values.count == columns else {
                throw Failure(
                    .data, "\(row.place): the row has \(values.count) features, but the model takes \(columns)")
            }
            return .features(values)
        default: throw Failure(.internal, "\(row.place): the row holds something else than its column")
        }
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
