// Names and keywords of emojis in many languages, from CLDR's XML files. Not here: inheritance between languages.

import Failures
import Foundation
import FoundationXML

/// What one language calls one emoji.
public struct EmojiCaption: Sendable, Equatable {
    /// The short name; nil where the language has keywords only.
    public var name: String?
    /// Keywords in the file's order, without the name and without repetitions.
    public var keywords: [String] = []
}

/// Captions of one language by emoji.
///
/// Only what a language's own two files say: CLDR lets `de_CH` inherit from `de`, and marks entries to be inherited by `↑↑↑`;
/// such entries are left out, so regional files are small.
struct CLDRAnnotations: Sendable {
    /// By code points without variation selector, which is how CLDR spells them.
    private(set) var captions: [[UInt32]: EmojiCaption] = [:]

    subscript(concept: EmojiConcept) -> EmojiCaption? { captions[concept.plainCodePoints] }

    /// The languages below a CLDR `common` directory, sorted; `root` is none.
    /// - Throws: `Failure(.inputMissing)` naming the package to install.
    static func languages(directory: String) throws -> [String] {
        guard let files = try? FileManager.default.contentsOfDirectory(atPath: directory + "/annotations") else {
            throw Failure(
                .inputMissing, "cannot read \(directory)/annotations: install the Debian package unicode-cldr-core")
        }
        return files.filter { $0.hasSuffix(".xml") && $0 != "root.xml" }.map { String($0.dropLast(4)) }.sorted()
    }

    /// Reads `annotations/LANGUAGE.xml` and, where there is one, `annotationsDerived/LANGUAGE.xml`.
    /// - Parameter wanted: code points, without variation selector, of the emojis to keep.
    static func read(directory: String, language: String, wanted: Set<[UInt32]>) throws -> CLDRAnnotations {
        var result = CLDRAnnotations()
        for folder in ["annotations", "annotationsDerived"] {
            let path = "\(directory)/\(folder)/\(language).xml"
            if folder == "annotationsDerived", !FileManager.default.fileExists(atPath: path) { continue }
            guard let data = FileManager.default.contents(atPath: path) else {
                throw Failure(.inputMissing, "cannot read \(path): install the Debian package unicode-cldr-core")
            }
            try result.add(data, name: path, wanted: wanted)
        }
        return result
    }

    /// Adds the annotations of one file.
    /// - Throws: `Failure(.data)` with file and line if it is not well-formed.
    mutating func add(_ xml: Data, name: String, wanted: Set<[UInt32]>) throws {
        // Foundation's parser ends the process at an element whose name is not UTF-8.
        guard String(validating: xml, as: UTF8.self) != nil else {
            throw Failure(.data, "\(name): expected UTF-8 text, found other bytes")
        }
        let reader = AnnotationReader(wanted: wanted, captions: captions)
        let parser = XMLParser(data: xml)
        parser.delegate = reader
        guard parser.parse() else {
            let reason = parser.parserError.map { ": \($0.localizedDescription)" } ?? ""
            throw Failure(.data, "\(name), line \(parser.lineNumber): not well-formed XML\(reason)")
        }
        captions = reader.captions.mapValues { caption in
            var caption = caption
            var seen: Set<String> = caption.name.map { [$0] } ?? []
            caption.keywords = caption.keywords.filter { seen.insert($0).inserted }
            return caption
        }
    }
}

/// Collects `<annotation cp="😀" type="tts">name</annotation>` and `<annotation cp="😀">keyword | keyword</annotation>`.
private final class AnnotationReader: NSObject, XMLParserDelegate {
    private(set) var captions: [[UInt32]: EmojiCaption]
    private let wanted: Set<[UInt32]>
    private var key: [UInt32]?
    private var isName = false
    private var text = ""

    init(wanted: Set<[UInt32]>, captions: [[UInt32]: EmojiCaption]) {
        self.wanted = wanted
        self.captions = captions
    }

    func parser(
        _ parser: XMLParser, didStartElement element: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String] = [:]
    ) {
        guard element == "annotation", let characters = attributes["cp"] else { return }
        let points = characters.unicodeScalars.map(\.value).filter { $0 != EmojiConcept.emojiSelector }
        guard wanted.contains(points) else { return }
        key = points
        isName = attributes["type"] == "tts"
        text = ""
    }

    func parser(_ parser: XMLParser, foundCharacters string: String) { if key != nil { text += string } }

    func parser(_ parser: XMLParser, didEndElement element: String, namespaceURI: String?, qualifiedName: String?) {
        guard element == "annotation", let key else { return }
        self.key = nil
        let value = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !value.isEmpty, !value.contains("↑↑↑") else { return }
        if isName {
            captions[key, default: EmojiCaption()].name = value
        } else {
            let words = value.split(separator: "|").map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
            captions[key, default: EmojiCaption()].keywords += words.filter { !$0.isEmpty }
        }
    }
}
