// From patterns over names to parameters, with words for patterns that mean none. Not here: the patterns' grammar (NamePattern).

import Autograd
import Buffers
import Failures

extension ParameterPlan {
    /// Indices of the parameters that are not trained: of towers with adapters all but those and a projection that is new, then what the
    /// patterns of `model.freeze` say. Adapters are meant only by patterns that name them.
    /// - Throws: `Failure(.configuration)` when a pattern of `model.freeze` or `model.lora.targets` means nothing.
    func frozenParameters(_ freeze: [NamePattern]) throws -> Set<Int> {
        try requireTargets()
        try ParameterSelection(key: "model.freeze", patterns: freeze).requireMeaning(in: layout)
        let adaptedTowers = Set(adapters.compactMap { $0.layer.split(separator: ".").first.map(String.init) }).sorted()
        let ofWeights = adaptedTowers.flatMap { [NamePattern($0), NamePattern("!\($0).embedding")] } + freeze
        let ofAdapters = freeze.filter { $0.text.contains("lora_") }
        return Set(
            layout.entries.indices.filter {
                (adapterParameters.contains($0) ? ofAdapters : ofWeights).selects(layout.entries[$0].name)
            })
    }

    private func requireTargets() throws {
        for target in lowRank?.targets ?? []
        where !linearLayers.contains(where: { target.covers($0.path, published: $0.published) }) {
            let names = linearLayers.map(\.path) + linearLayers.compactMap(\.published)
            throw Failure(
                .configuration,
                "model.lora.targets: '\(target.text)' matches no linear layer of this model; the nearest are "
                    + ParameterSelection.nearest(to: target.text, among: names, suffixes: true).joined(separator: ", "))
        }
        if lowRank != nil, adapters.isEmpty {
            throw Failure(
                .configuration,
                "model.lora.targets is empty; name the linear layers to adapt, or set model.lora.rank to null")
        }
    }
}

/// The parameters that a configuration key chooses.
struct ParameterSelection {
    /// The key, for messages: `model.freeze`.
    let key: String
    let patterns: [NamePattern]

    /// - Throws: `Failure(.configuration)` when a pattern means no parameter; it names those that are spelled most alike.
    func requireMeaning(in layout: ParameterLayout) throws {
        let names = layout.entries.map(\.name)
        for pattern in patterns where !names.contains(where: pattern.covers) {
            throw Failure(
                .configuration,
                "\(key): '\(pattern.text)' matches no parameter of this model; the nearest are "
                    + Self.nearest(to: pattern.text, among: names).joined(separator: ", "))
        }
    }

    /// Three names, or dotted paths that lead to one (or end one), that take the fewest changes to be the pattern.
    static func nearest(to pattern: String, among names: [String], suffixes: Bool = false) -> [String] {
        let bare = String(pattern.drop { $0 == "!" })
        var paths: Set<String> = []
        for name in names {
            let parts = name.split(separator: ".")
            for length in 1...max(1, parts.count) {
                paths.insert((suffixes ? parts.suffix(length) : parts.prefix(length)).joined(separator: "."))
            }
        }
        let distances = paths.map { (distance: ConfigReader.editDistance(bare, $0), path: $0) }
        return distances.sorted { ($0.distance, $0.path) < ($1.distance, $1.path) }.prefix(3).map(\.path)
    }
}
