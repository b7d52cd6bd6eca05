// From patterns over names to parameters, with words for patterns that mean none. Not here: the patterns' grammar (NamePattern).

import Autograd
import Buffers
import Failures

/// The parameters that a configuration key chooses.
struct ParameterSelection {
    /// The key, for messages: `model.freeze`.
    let key: String
    let patterns: [NamePattern]

    /// Indices of the chosen entries.
    /// - Throws: `Failure(.configuration)` when a pattern means no parameter; it names those that are spelled most alike.
    func indices(in layout: ParameterLayout) throws -> Set<Int> {
        try requireMeaning(in: layout)
        return Set(layout.entries.indices.filter { patterns.selects(layout.entries[$0].name) })
    }

    func requireMeaning(in layout: ParameterLayout) throws {
        let names = layout.entries.map(\.name)
        for pattern in patterns where !names.contains(where: pattern.covers) {
            throw Failure(
                .configuration,
                "\(key): '\(pattern.text)' matches no parameter of this model; the nearest are "
                    + Self.nearest(to: pattern.text, among: names).joined(separator: ", "))
        }
    }

    /// Three names, or dotted paths that lead to one, that take the fewest changes to be the pattern.
    static func nearest(to pattern: String, among names: [String]) -> [String] {
        let bare = String(pattern.drop { $0 == "!" })
        var paths: Set<String> = []
        for name in names {
            let parts = name.split(separator: ".")
            for end in 1...max(1, parts.count) { paths.insert(parts.prefix(end).joined(separator: ".")) }
        }
        let distances = paths.map { (distance: ConfigReader.editDistance(bare, $0), path: $0) }
        return distances.sorted { ($0.distance, $0.path) < ($1.distance, $1.path) }.prefix(3).map(\.path)
    }
}
