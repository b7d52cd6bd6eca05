// Writing an emoji data set: rows, pictures, manifest. Not here: what is in it (EmojiDataset.swift), the final name
// (DatasetFolder.swift).

import ArrayFiles
import Foundation

/// Writes what an `EmojiContent` holds.
struct EmojiDatasetWriter {
    private let folder: DatasetFolder

    /// - Throws: `Failure(.cannotCreate)` if `output` exists and must not or cannot be replaced: before any work is done.
    init(output: String, force: Bool) throws {
        folder = try DatasetFolder(output: output, format: EmojiManifest.currentFormat, force: force)
    }

    func write(_ content: EmojiContent) throws -> EmojiManifest {
        try folder.write { partial in
            for drawing in content.options.drawings {
                try FileManager.default.createDirectory(
                    atPath: "\(partial)/images/\(drawing.name)", withIntermediateDirectories: true)
            }
            for row in content.plan.rows {
                guard let picture = content.pictures[row.concept][row.drawing] else { continue }
                try picture.png.write(to: URL(fileURLWithPath: "\(partial)/\(content.imagePath(row))"))
            }
            var files: [String: EmojiManifest.File] = [:]
            for set in EmojiSet.allCases {
                files["\(set.rawValue).jsonl"] = try writeRows(set, content, in: partial)
            }
            return EmojiManifest(content, files: files)
        }
    }

    private func writeRows(_ set: EmojiSet, _ content: EmojiContent, in partial: String) throws -> EmojiManifest.File {
        let rows = content.plan.rows.filter { $0.set == set }
        var text = ""
        for row in rows { EmojiRowText.append(row, content, to: &text) }
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(partial)/\(set.rawValue).jsonl"))
        return EmojiManifest.File(rows: rows.count, bytes: text.utf8.count, emojis: Set(rows.map(\.concept)).count)
    }
}

/// One row as a line of JSON, keys in a fixed and readable order.
enum EmojiRowText {
    static func append(_ row: EmojiPlan.Row, _ content: EmojiContent, to text: inout String) {
        let concept = content.concepts[row.concept]
        let captions = content.captions.compactMap { entry in
            entry.annotations[concept].map { (language: entry.language, caption: $0) }
        }
        let name = captions.first?.caption.name ?? concept.name
        var seen: Set<String> = []
        let all = captions.flatMap { ($0.caption.name.map { [$0] } ?? []) + $0.caption.keywords }
        let texts = all.filter { seen.insert($0).inserted }
        text += "{\"id\":\(quoted(content.plan.ids[row.concept])),\"emoji\":\(quoted(concept.text))"
        text += ",\"codepoints\":\(quoted(concept.id)),\"base\":\(quoted(content.plan.bases[row.concept]))"
        text +=
            ",\"image\":\(quoted(content.imagePath(row))),\"drawing\":\(quoted(content.options.drawings[row.drawing].name))"
        text += ",\"text\":\(quoted(name)),\"texts\":\(list(texts)),\"captions\":{"
        text += captions.map { language, caption in
            let name = caption.name.map { "\"name\":\(quoted($0))," } ?? ""
            return "\(quoted(language)):{\(name)\"keywords\":\(list(caption.keywords))}"
        }.joined(separator: ",")
        text += "},\"group\":\(quoted(concept.group)),\"subgroup\":\(quoted(concept.subgroup))}\n"
    }

    private static func quoted(_ value: String) -> String { StrictJSON.quoted(value) }
    private static func list(_ values: [String]) -> String { StrictJSON.quoted(values) }
}

extension EmojiManifest {
    /// Counts what is in `content`.
    init(_ content: EmojiContent, files: [String: File]) {
        let options = content.options
        let counted = options.drawings.enumerated().map { index, source in
            Drawing(source, index: index, content)
        }
        parameters = Parameters(
            size: options.size, heldOut: options.heldOut, seenShare: options.seenShare,
            languages: content.captions.map(\.language), skinTones: options.includesSkinTones)
        drawings = counted
        self.files = files
        emojis = content.concepts.count
        bases = Set(content.plan.bases).count
        captions = content.captions.map { language, annotations in
            let found = content.concepts.compactMap { annotations[$0] }
            return Captions(
                language: language, names: found.count { $0.name != nil },
                keywords: found.reduce(0) { $0 + $1.keywords.count })
        }
        let groups = Dictionary(grouping: content.concepts.indices) { content.plan.ids[$0] }.values
        identical = groups.filter { $0.count > 1 }.sorted { $0[0] < $1[0] }.map { $0.map { content.concepts[$0].id } }
        sources = [("unicode-cldr-core", "Unicode-DFS-2016"), ("unicode-data", "Unicode-DFS-2016")].map {
            package, licence in
            Source(package: package, version: DebianPackage.version(package), licence: licence)
        }
    }
}

extension EmojiManifest.Drawing {
    fileprivate init(_ source: EmojiDrawingSource, index: Int, _ content: EmojiContent) {
        let rows = content.plan.rows.filter { $0.drawing == index }
        let hashes = content.pictures.compactMap { $0[index]?.hash }
        let owners = Dictionary(grouping: hashes) { $0 }.values
        name = source.name
        licence = source.licence
        package = source.package
        version = source.package.flatMap(DebianPackage.version) ?? source.versionInPath
        pictures = rows.count
        bytes = rows.reduce(0) { $0 + (content.pictures[$1.concept][index]?.png.count ?? 0) }
        train = rows.count { $0.set == .train }
        seen = rows.count { $0.set == .seen }
        unseen = rows.count { $0.set == .unseen || $0.set == .unseenOther }
        identical = owners.reduce(0) { $0 + ($1.count > 1 ? $1.count : 0) }
    }
}

extension EmojiDrawingSource {
    /// The version that an unpacked gem has in its folder's name: `gemojione-3.3.0`.
    fileprivate var versionInPath: String? {
        path.split(separator: "/").last { $0.hasPrefix("gemojione-") }.map { String($0.dropFirst(10)) }
    }
}
