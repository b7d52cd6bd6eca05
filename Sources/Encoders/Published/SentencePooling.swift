// The pooling of sentence-transformers: its names, reading and writing. Not here: the other modules (SentenceModules), what poolings
// compute (TextTransformer).

import Failures

/// `1_Pooling/config.json`.
public enum SentencePooling {
    /// Poolings as the package names them, in the order in which it puts those that flags choose side by side.
    private static let modes: [(name: String, flag: String, pooling: Pooling)] = [
        ("cls", "pooling_mode_cls_token", .classToken), ("max", "pooling_mode_max_tokens", .maximum),
        ("mean", "pooling_mode_mean_tokens", .mean),
        ("mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", .rootMean),
        ("weightedmean", "pooling_mode_weightedmean_tokens", .weightedMean),
        ("lasttoken", "pooling_mode_lasttoken", .endOfText),
    ]

    /// The names of a tower's poolings.
    public static func names(_ text: TextTransformer.Configuration) -> [String] {
        modes.filter { text.pooling.contains($0.pooling) }.map(\.name)
    }

    /// What a tower's pooling is written as.
    public static func keys(_ text: TextTransformer.Configuration) -> [String: Any] {
        var keys: [String: Any] = ["word_embedding_dimension": text.transformer.width]
        for mode in modes { keys[mode.flag] = text.pooling.contains(mode.pooling) }
        return keys
    }

    static func read(_ config: PublishedConfig, width: Int) throws -> [Pooling] {
        for key in ["word_embedding_dimension", "embedding_dimension"] where config.has(key) {
            let found = try config.size(key, in: PublishedConfig.widths)
            guard found == width else {
                throw Failure(
                    .data, "\(config.place): \(key) is \(found), but the transformer's hidden_size is \(width)")
            }
        }
        var names = try config.texts("pooling_mode") ?? []
        if names.isEmpty { names = try modes.filter { try config.flag($0.flag, default: false) }.map(\.name) }
        if names.isEmpty { return [.mean] }
        guard Set(names).count == names.count else {
            throw Failure(
                .data, "\(config.place): pooling_mode: expected each pooling once, found \(names.count) of them")
        }
        return try names.map { name in
            guard let mode = modes.first(where: { $0.name == name }) else {
                throw Failure(
                    .data,
                    "\(config.place): pooling_mode: expected of \(modes.map(\.name).joined(separator: ", ")), found \(name)"
                )
            }
            return mode.pooling
        }
    }
}
