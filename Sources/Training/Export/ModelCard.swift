// The README.md of an exported model: what it began with, how it was trained, how it is loaded. Not here: the other files
// (ModelExporter).

import Encoders
import FANoise
import Foundation
import Losses

/// A short model card with the front matter that the Hugging Face Hub reads.
struct ModelCard {
    let configuration: RunConfig
    let format: ExportFormat
    /// Steps that it was trained for.
    let steps: Int
    /// The sides that are written: both of a text and a picture encoder.
    let sides: [Side]
    /// Its tower; nil for two.
    let text: TextTransformer.Configuration?
    /// E.
    let columns: Int
    /// The cards of the models that training began with.
    let published: [Data]

    var contents: Data {
        let lines: [String] = ["---"] + frontMatter + ["---", ""] + body
        return Data((lines.joined(separator: "\n") + "\n").utf8)
    }

    /// Its name in the directory.
    static let file = "README.md"

    private var isSentence: Bool { format == .sentenceTransformers }

    // MARK: - Front matter

    private var frontMatter: [String] {
        var lines = ["library_name: \(isSentence ? "sentence-transformers" : "transformers")"]
        if text != nil { lines.append("pipeline_tag: \(isSentence ? "sentence-similarity" : "feature-extraction")") }
        lines.append("tags:")
        if isSentence { lines += ["- sentence-transformers", "- sentence-similarity"] }
        lines.append("- feature-extraction")
        let bases = Set(directories.compactMap(Self.hubName)).sorted()
        if !bases.isEmpty { lines += ["base_model:"] + bases.map { "- \($0)" } }
        return lines + licence
    }

    /// What the published cards say of it, where they agree.
    private var licence: [String] {
        let found = Set(
            published.map { card -> [String] in
                let lines = String(decoding: card, as: UTF8.self).split(
                    separator: "\n", omittingEmptySubsequences: false)
                guard lines.first?.trimmingCharacters(in: .whitespaces) == "---" else { return [] }
                return lines.dropFirst().prefix { $0.trimmingCharacters(in: .whitespaces) != "---" }.filter {
                    $0.hasPrefix("license") && !$0.hasSuffix(":")
                }.map(String.init)
            })
        return found.count == 1 ? found.first ?? [] : []
    }

    private var directories: [String] {
        sides.compactMap { configuration.model.directory(configuration.encoder($0)) }
    }

    /// `owner/name` of a directory in the Hub's cache, `models--owner--name/snapshots/…`; nil of any other.
    static func hubName(_ directory: String) -> String? {
        guard let part = directory.split(separator: "/").last(where: { $0.hasPrefix("models--") }) else { return nil }
        let name = String(part.dropFirst("models--".count))
        guard let mark = name.range(of: "--") else { return name }
        return name.replacingCharacters(in: mark, with: "/")
    }

    // MARK: - Text

    private var body: [String] {
        let kinds = Set(sides.map { configuration.encoder($0).kind })
        let what = kinds == [.text] ? "Texts" : kinds == [.vit] ? "Pictures" : "Texts and pictures"
        let kind = isSentence ? "[sentence-transformers](https://www.sbert.net) model" : "model of transformers"
        var lines = ["# \(configuration.name)", ""]
        lines += ["\(what) to vectors of \(columns) numbers: a \(kind), trained with fanoise.", ""]
        lines += ["| | |", "|---|---|"]
        for fact in facts { lines.append("| \(fact.name) | \(fact.value) |") }
        return lines + ["", "```python"] + use + ["```"]
    }

    private var facts: [(name: String, value: String)] {
        let began = directories.map { Self.hubName($0) ?? URL(fileURLWithPath: $0).lastPathComponent }
        let data = configuration.data.train?.patterns ?? configuration.data.sources.flatMap(\.path.patterns)
        let noise = configuration.noise.scaling
        let nested = configuration.loss.matryoshka.dimensions.values
        var facts: [(name: String, value: String)] = [
            ("began with", began.isEmpty ? "random weights" : Set(began).sorted().joined(separator: ", ")),
            ("data", data.map { URL(fileURLWithPath: $0).lastPathComponent }.joined(separator: ", ")),
            ("steps", "\(steps), of \(configuration.batch.global) rows each"),
            ("loss", configuration.loss.kind.rawValue),
            (
                "noise in training",
                noise == .none ? "none" : "\(noise.rawValue), strength \(configuration.noise.strength)"
            ),
        ]
        if let text { facts.append(("pooling", SentencePooling.names(text).joined(separator: ", "))) }
        if !nested.isEmpty {
            let widths = nested.sorted().map { "\($0)" }.joined(separator: ", ")
            facts.append(("shorter vectors", "\(widths) numbers"))
        }
        return facts
    }

    private var use: [String] {
        guard text != nil else {
            return [
                "from transformers import AutoModel, AutoProcessor", "",
                #"model, processor = AutoModel.from_pretrained("PATH"), AutoProcessor.from_pretrained("PATH")"#,
            ]
        }
        guard isSentence else {
            return [
                "from transformers import AutoModel, AutoTokenizer", "",
                #"model, tokenizer = AutoModel.from_pretrained("PATH"), AutoTokenizer.from_pretrained("PATH")"#,
                #"states = model(**tokenizer(["a text"], return_tensors="pt")).last_hidden_state"#,
                "# then the pooling above",
            ]
        }
        let hasPrompts = sides.contains { !configuration.column($0).prefix.isEmpty }
        return [
            "from sentence_transformers import SentenceTransformer", "", #"model = SentenceTransformer("PATH")"#,
            #"queries = model.encode(["a question"]\#(hasPrompts ? #", prompt_name="query""# : ""))"#,
            #"documents = model.encode(["a text", "another"]\#(hasPrompts ? #", prompt_name="document""# : ""))"#,
            "model.similarity(queries, documents)",
        ]
    }
}
