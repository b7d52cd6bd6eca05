// Rows as they were read, kept in memory up to a bound. Not here: reading them (sources), decoded pictures (PictureStore).

import Synchronization

/// Reads rows of a source once, as long as there is room for them: finding a record's fields and their meaning takes longer than what a
/// step does with them afterwards.
///
/// What came first stays, as in `PictureStore`, and what is kept never changes what a row is. Rows of features are not kept: they are
/// mapped from files, or in memory already. May be used from several threads.
final class RowStore: Sendable {
    /// With all captions and without is not the same: where they are there, one of them may be shown.
    private struct Key: Hashable {
        let index: Int
        let alternatives: Bool
    }
    private struct State {
        var rows: [Key: PairRow] = [:]
        var bytes = 0
    }
    private let source: any PairSource
    private let state = Mutex(State())
    private let byteLimit: Int

    init(_ source: any PairSource, byteLimit: Int) {
        self.source = source
        self.byteLimit = byteLimit
    }

    /// Rows kept, and about how much memory they take.
    var kept: (rows: Int, bytes: Int) { state.withLock { ($0.rows.count, $0.bytes) } }

    /// As `PairSource.row`.
    func row(_ index: Int, alternatives: Bool) throws -> PairRow {
        let key = Key(index: index, alternatives: alternatives)
        if let row = state.withLock({ $0.rows[key] }) { return row }
        let row = try source.row(index, alternatives: alternatives)
        guard let bytes = row.memory else { return row }
        state.withLock { state in
            guard state.bytes + bytes <= byteLimit, state.rows[key] == nil else { return }
            state.rows[key] = row
            state.bytes += bytes
        }
        return row
    }
}

extension PairRow {
    /// About how many bytes it takes; nil with features.
    fileprivate var memory: Int? {
        var bytes = MemoryLayout<Self>.size + queryPrefix.utf8.count + targetPrefix.utf8.count + place.utf8.count
        for side in [query, target] + negatives.map(\.side) {
            guard let memory = side.memory else { return nil }
            bytes += MemoryLayout<Negative>.size + memory
        }
        return bytes
    }
}

extension PairSide {
    fileprivate var memory: Int? {
        switch self {
        case .picture(let location): location.description.utf8.count
        case .text(let text, let alternatives): Self.memory([text] + alternatives)
        case .choice(let texts): Self.memory(texts)
        case .features: nil
        }
    }

    private static func memory(_ texts: [String]) -> Int {
        texts.reduce(0) { $0 + MemoryLayout<String>.size + $1.utf8.count }
    }
}
