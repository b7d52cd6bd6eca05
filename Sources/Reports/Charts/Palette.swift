// Colours that are told apart without colour vision and stand out on both backgrounds. Not here: where they are used.

/// The colours of series, as CSS variables: `--s0` … `--s7`, light and dark.
///
/// After Okabe and Ito's set, darkened or lightened to a contrast of at least 3 : 1 (WCAG 1.4.11) against the page.
enum Palette {
    static let light = ["#0067a5", "#c9510a", "#00805e", "#a8488a", "#7a6400", "#5b5bc9", "#b3261e", "#55606b"]
    static let dark = ["#5ab4f0", "#ff9a52", "#45cfa2", "#ea9fce", "#e3c64a", "#aeb0ff", "#ff8f86", "#a7b3bf"]

    /// A series beyond the colours repeats them with another dash.
    static func variable(_ slot: Int) -> String { "var(--s\(slot % light.count))" }

    static func dash(_ slot: Int) -> String? { [nil, "6 3", "2 3"][min(slot / light.count, 2)] }
}
