// Writing an emoji data set: rows, pictures, manifest, and the final name. Not here: what is in it (EmojiDataset.swift).

import Failures
import Foundation

/// Writes into `OUTPUT.partial` and renames at the end.
struct EmojiDatasetWriter {
    private let output: String
    private let partial: String
    private let replaces: Bool

    /// - Throws: `Failure(.cannotCreate)` if `output` exists and must not or cannot be replaced: before any work is done.
    init(output: String, force: Bool) throws {
        let path = URL(fileURLWithPath: output).standardizedFileURL.path
        self.output = path
        partial = path + ".partial"
        replaces = FileManager.default.fileExists(atPath: path)
        guard replaces else { return }
        guard force else { throw Failure(.cannotCreate, "\(output) exists; add --force to replace it") }
        guard Self.isDataset(path) else {
            throw Failure(
                .cannotCreate, "\(output) exists and is not an emoji data set; it is left alone: choose another name")
        }
    }

    private static func isDataset(_ path: String) -> Bool {
        guard let data = FileManager.default.contents(atPath: path + "/manifest.json"),
            let manifest = try? JSONDecoder().decode(EmojiManifest.self, from: data)
        else { return false }
        return manifest.format == EmojiManifest.currentFormat
    }

    func write(_ content: EmojiContent) throws -> EmojiManifest {
        try inputOutput("write to \(partial)") {
            if FileManager.default.fileExists(atPath: partial) { try FileManager.default.removeItem(atPath: partial) }
            for drawing in content.options.drawings {
                try FileManager.default.createDirectory(
                    atPath: "\(partial)/images/\(drawing.name)", withIntermediateDirectories: true)
            }
            for row in content.plan.rows {
                guard let picture = content.pictures[row.concept][row.drawing] else { continue }
                try picture.png.write(to: URL(fileURLWithPath: "\(partial)/\(content.imagePath(row))"))
            }
            var files: [String: EmojiManifest.File] = [:]
            for set in EmojiSet.allCases { files["\(set.rawValue).jsonl"] = try writeRows(set, content) }
            let manifest = EmojiManifest(content, files: files)
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try (encoder.encode(manifest) + Data("\n".utf8)).write(to: URL(fileURLWithPath: partial + "/manifest.json"))
            if replaces { try FileManager.default.removeItem(atPath: output) }
            try FileManager.default.moveItem(atPath: partial, toPath: output)
            return manifest
        }
    }

    private func writeRows(_ set: EmojiSet, _ content: EmojiContent) throws -> EmojiManifest.File {
        let rows = content.plan.rows.filter { $0.set == set }
        var text = ""
        for row in rows { EmojiRowText.append(row, content, to: &text) }
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(partial)/\(set.rawValue).jsonl"))
        return EmojiManifest.File(rows: rows.count, bytes: text.utf8.count, emojis: Set(rows.map(\.concept)).count)
    }

    /// Turns what the file system says into a sentence with an exit code.
    private func inputOutput<Value>(_ action: String, _ body: () throws -> Value) throws -> Value {
        do { return try body() } catch let failure as Failure { throw failure } catch {
            throw Failure(.inputOutput, "cannot \(action): \(error.localizedDescription)")
        }
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

    private static func list(_ values: [String]) -> String { "[" + values.map(quoted).joined(separator: ",") + "]" }

    /// A JSON string: quotation mark, backslash and control characters escaped, everything else as it is.
    static func quoted(_ value: String) -> String {
        var result = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\u{0}"..."\u{1F}":
                let hex = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
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
