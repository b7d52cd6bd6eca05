// The emoji data set from start to end: list, captions, pictures, sets, files. Not here: any of the steps.

import Dispatch
import Failures
import Foundation
import Synchronization

/// An image-text data set made offline from Debian packages; equal inputs give equal bytes.
///
/// ```
/// DIR/manifest.json                    counts, parameters, sources, licences
/// DIR/train.jsonl                      one row per emoji and drawing to train on
/// DIR/seen.jsonl                       A: emojis of train.jsonl in a drawing that is not in it
/// DIR/unseen.jsonl                     B: emojis of bases that are not in train.jsonl, each in its first drawing
/// DIR/unseen-other.jsonl               the other drawings of B's emojis
/// DIR/images/DRAWING/CODEPOINTS.png    RGB, `size` × `size`
/// ```
///
/// A row is one JSON object: `id` (equal for emojis that share a picture), `emoji`, `codepoints`, `base`, `image` (relative to
/// DIR), `drawing`, `text` (the name in the first language), `texts` (that name and every other caption), `captions`
/// (`{language: {name, keywords}}`), `group`, `subgroup`.
public enum EmojiDataset {
    /// Builds the data set in `output` and returns its manifest.
    ///
    /// Everything is written to `output.partial`, which takes the final name at the end.
    /// - Parameters:
    ///   - force: replaces an existing emoji data set; anything else under that name is never touched.
    ///   - progress: told in a few words what is being done.
    /// - Throws: `Failure(.inputMissing)` naming the package to install, `.data` for a damaged input, `.usage` for a wrong
    ///   option, `.cannotCreate` or `.inputOutput` where the output cannot be written.
    @discardableResult
    public static func build(
        _ options: EmojiDatasetOptions, output: String, force: Bool = false, progress: (String) -> Void = { _ in }
    ) throws -> EmojiManifest {
        try options.validate()
        let writer = try EmojiDatasetWriter(output: output, force: force)
        let list = try EmojiList.read(path: options.unicodeDirectory + "/emoji/emoji-test.txt")
        let selected = list.prefix(options.limit ?? list.count).filter { options.includesSkinTones || !$0.hasSkinTone }
        progress("reading captions of \(selected.count) emojis")
        let captions = try readCaptions(options, concepts: selected)
        guard let primary = captions.first?.annotations else { throw Failure(.usage, "no language of captions") }
        let named = selected.filter { primary[$0]?.name != nil }
        progress("drawing \(named.count) emojis in \(options.drawings.count) styles")
        let drawn = try EmojiGallery.draw(
            named, sources: options.drawings, size: options.size, threads: options.threads)
        let kept = named.indices.filter { drawn[$0].contains { $0 != nil } }
        let content = EmojiContent(
            options: options, concepts: kept.map { named[$0] }, pictures: kept.map { drawn[$0] }, captions: captions)
        progress("writing \(content.plan.rows.count) rows")
        return try writer.write(content)
    }

    /// Reads the captions of the chosen languages, several files at a time, in the order in which they were asked for.
    private static func readCaptions(
        _ options: EmojiDatasetOptions, concepts: [EmojiConcept]
    ) throws -> [(language: String, annotations: CLDRAnnotations)] {
        let directory = options.cldrDirectory
        let known = try CLDRAnnotations.languages(directory: directory)
        let languages = options.languages ?? ["en"] + known.filter { $0 != "en" }
        for language in languages where !known.contains(language) {
            throw Failure(.usage, "no captions in '\(language)'; there are: \(known.joined(separator: ", "))")
        }
        let wanted = Set(concepts.map(\.plainCodePoints))
        let results = Mutex([Int: Result<CLDRAnnotations, any Error>]())
        let workers = max(1, min(options.threads, languages.count))
        DispatchQueue.concurrentPerform(iterations: workers) { worker in
            for index in stride(from: worker, to: languages.count, by: workers) {
                let result = Result {
                    try CLDRAnnotations.read(directory: directory, language: languages[index], wanted: wanted)
                }
                results.withLock { $0[index] = result }
            }
        }
        let all = try results.withLock { results in
            try languages.indices.map { (languages[$0], try results[$0]?.get() ?? CLDRAnnotations()) }
        }
        // With all languages asked for, those that name no emoji are no languages of the data set.
        return all.filter { options.languages != nil || $0.1.captions.values.contains { $0.name != nil } }
    }
}

/// Everything that is known before the first byte is written.
struct EmojiContent {
    let options: EmojiDatasetOptions
    let concepts: [EmojiConcept]
    /// `[concept][drawing]`.
    let pictures: [[DrawnEmoji?]]
    let captions: [(language: String, annotations: CLDRAnnotations)]
    let plan: EmojiPlan

    init(
        options: EmojiDatasetOptions, concepts: [EmojiConcept], pictures: [[DrawnEmoji?]],
        captions: [(language: String, annotations: CLDRAnnotations)]
    ) {
        self.options = options
        self.concepts = concepts
        self.pictures = pictures
        self.captions = captions
        plan = EmojiPlan(
            concepts: concepts, hashes: pictures.map { $0.map { $0?.hash } },
            drawings: options.drawings.map { ($0.name, $0.isColour) },
            split: EmojiSplit(heldOut: options.heldOut, seenShare: options.seenShare))
    }

    /// The picture file of a row, relative to the data set.
    func imagePath(_ row: EmojiPlan.Row) -> String {
        "images/\(options.drawings[row.drawing].name)/\(concepts[row.concept].id).png"
    }
}
