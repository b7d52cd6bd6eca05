// `fanoise data`: makes data sets. Not here: how they are made (Datasets).

import ArgumentParser
import Datasets
import Failures
import Foundation

struct DataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data", abstract: "Prepare data sets.",
        subcommands: [EmojiCommand.self, PixelsCommand.self, ReverseDictionaryCommand.self])
}

/// `fanoise data emoji`.
struct EmojiCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "emoji",
        abstract: "Build an image-text data set of emojis from Debian packages, offline.",
        discussion: """
            Pictures come from fonts-noto-color-emoji, ruby-gemojione (unpacked, not installed) and fonts-symbola, captions from \
            unicode-cldr-core, the list of emojis from unicode-data. Several drawings of one emoji are several rows.

            DIR/train.jsonl is for training. DIR/seen.jsonl (A) shows the same emojis in a drawing that is not trained on, \
            DIR/unseen.jsonl (B) emojis of which nothing was trained on. Equal inputs give equal bytes.

            Without EmojiOne: --drawings noto,symbola. To get it:
              apt-get download ruby-gemojione && dpkg-deb -x ruby-gemojione_*.deb .build/debian/gemojione
            """)

    @Option(help: ArgumentHelp("Folder to make.", valueName: "dir"))
    var output: String
    @Option(help: "Side of the pictures in pixels.")
    var size = 64
    @Option(
        help:
            "Languages of the captions, such as en,de; the first gives each row's text. 'all' is every language, English first."
    )
    var languages = "en"
    @Option(help: "Drawings to use, in this order; fonts given with --font follow.")
    var drawings = "noto,emojione,symbola"
    @Option(help: ArgumentHelp("Noto Color Emoji.", valueName: "path"))
    var noto = EmojiDrawingSource.defaultNotoPath
    @Option(help: ArgumentHelp("EmojiOne: unpacked package, gem folder or folder of PNG files.", valueName: "dir"))
    var gemojione: String?
    @Option(help: ArgumentHelp("Symbola.", valueName: "path"))
    var symbola = EmojiDrawingSource.defaultSymbolaPath
    @Option(help: ArgumentHelp("A further emoji font; may be repeated.", valueName: "name=path"))
    var font: [String] = []
    @Option(help: ArgumentHelp("CLDR's common directory.", valueName: "dir"))
    var cldr = "/usr/share/unicode/cldr/common"
    @Option(help: ArgumentHelp("The Unicode data files.", valueName: "dir"))
    var unicode = "/usr/share/unicode"
    @Option(help: "Expected share of emojis kept for set B.")
    var heldOut = 0.15
    @Option(help: "Expected share of the other emojis that give one of their drawings to set A.")
    var seenShare = 1.0
    @Flag(help: "Add emojis with skin tones to the training rows.")
    var skinTones = false
    @Flag(help: "Replace an existing emoji data set.")
    var force = false
    @Flag(help: "Print the manifest as one line of JSON on standard output.")
    var json = false

    func run() throws {
        var options = EmojiDatasetOptions(drawings: try sources())
        options.cldrDirectory = cldr
        options.unicodeDirectory = unicode
        options.languages = languages == "all" ? nil : Self.list(languages)
        options.size = size
        options.heldOut = heldOut
        options.seenShare = seenShare
        options.includesSkinTones = skinTones
        let manifest = try EmojiDataset.build(options, output: output, force: force) { tell($0) }
        tell(manifest.table)
        tell(try pixelSentence(output))
        if json { try printJSON(manifest) }
    }

    private func sources() throws -> [EmojiDrawingSource] {
        let known = try Self.list(drawings).map { name in
            switch name {
            case "noto": try EmojiDrawingSource.noto(path: noto)
            case "emojione": try EmojiDrawingSource.emojione(path: gemojione)
            case "symbola": try EmojiDrawingSource.symbola(path: symbola)
            default:
                throw Failure(.usage, "unknown drawing '\(name)': choose from noto, emojione, symbola, or add a --font")
            }
        }
        return try known
            + font.map { pair in
                let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
                guard parts.count == 2 else { throw Failure(.usage, "--font takes NAME=PATH, not '\(pair)'") }
                return try EmojiDrawingSource.font(name: parts[0], path: parts[1])
            }
    }

    private static func list(_ text: String) -> [String] {
        text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    }
}

/// `fanoise data pixels`.
struct PixelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pixels",
        abstract: "What pixels alone achieve on set A of an emoji data set: the baseline that a model must beat there.",
        discussion:
            "Every picture of seen.jsonl is given the emoji of the training picture with the nearest 16 × 16 thumbnail."
    )

    @Argument(help: ArgumentHelp("Folder of the data set.", valueName: "dir")) var data: String

    func run() throws { tell(try pixelSentence(data)) }
}

/// `fanoise data reverse-dictionary`.
struct ReverseDictionaryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reverse-dictionary",
        abstract: "Build a text-text data set from WordNet, offline: definitions and the words they define.",
        discussion: """
            Needs Debian's wordnet-base. Rows of train.jsonl, validation.jsonl and test.jsonl have the fields definition, word and \
            words. No word of a held-out synset occurs in training, in any of its meanings; synsets whose definition has one of \
            their own words in it are left out. Equal inputs give equal bytes.
            """)

    @Option(help: ArgumentHelp("Folder to make.", valueName: "dir"))
    var output: String
    @Option(help: ArgumentHelp("Folder of WordNet's data files.", valueName: "dir"))
    var wordnet = ReverseDictionary.Options().wordnet
    @Option(help: "Expected share of the words that may be held out for validation.")
    var validation = ReverseDictionary.Options().validation
    @Option(help: "Expected share of the words that may be held out for testing.")
    var test = ReverseDictionary.Options().test
    @Flag(help: "Replace an existing reverse dictionary.")
    var force = false
    @Flag(help: "Print the manifest as one line of JSON on standard output.")
    var json = false

    func run() throws {
        var options = ReverseDictionary.Options()
        (options.wordnet, options.validation, options.test) = (wordnet, validation, test)
        let manifest = try ReverseDictionary.build(options, output: output, force: force)
        tell(manifest.summary)
        if json { try printJSON(manifest) }
    }
}

private func pixelSentence(_ directory: String) throws -> String {
    let baseline = try pixelBaseline(dataset: directory)
    return "seen, by pixels alone: P@1 " + String(format: "%.1f %%", 100 * baseline.precisionAt1)
}
