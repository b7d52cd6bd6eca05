// Writing a tokenizer as Hugging Face's tokenizer.json. Not here: reading it back (TokenizerFileReader).

import ArrayFiles
import Failures
public import Foundation

extension ByteBPETokenizer {
    /// The tokenizer as `tokenizer.json`: equal tokenizers give equal bytes.
    /// - Parameter contextLength: written as the truncation that other programs apply; they cut nothing when it is nil.
    public func json(contextLength: Int? = nil) -> Data {
        let (start, end) = (StrictJSON.quoted(Self.startOfTextName), StrictJSON.quoted(Self.endOfTextName))
        let truncation = contextLength.map {
            #"{"direction": "Right", "max_length": \#($0), "strategy": "LongestFirst", "stride": 0}"#
        }
        let marks = [(startOfText, start), (endOfText, end)].map { id, name in
            #"{"id": \#(id), "content": \#(name), "single_word": false, "lstrip": false, "rstrip": false, "#
                + #""normalized": false, "special": true}"#
        }
        let processors = [(startOfText, start), (endOfText, end)].map { id, name in
            #"\#(name): {"id": \#(name), "ids": [\#(id)], "tokens": [\#(name)]}"#
        }
        func mark(_ name: String, _ type: Int) -> String { #"{"SpecialToken": {"id": \#(name), "type_id": \#(type)}}"# }
        func sequence(_ name: String, _ type: Int) -> String {
            #"{"Sequence": {"id": "\#(name)", "type_id": \#(type)}}"#
        }
        let single = [mark(start, 0), sequence("A", 0), mark(end, 0)].joined(separator: ", ")
        let pair = [single, sequence("B", 1), mark(end, 1)].joined(separator: ", ")
        let vocabulary = tokens.indices.map { "      \(StrictJSON.quoted(text(of: $0))): \($0)" }
        let rules = merges.map {
            "      [\(StrictJSON.quoted(text(of: Int($0.left)))), \(StrictJSON.quoted(text(of: Int($0.right))))]"
        }
        let document = """
            {
              "version": "1.0",
              "truncation": \(truncation ?? "null"),
              "padding": null,
              "added_tokens": [
                \(marks.joined(separator: ",\n    "))
              ],
              "normalizer": \(normalizer),
              "pre_tokenizer": \(Self.byteLevel),
              "post_processor": {
                "type": "TemplateProcessing",
                "single": [\(single)],
                "pair": [\(pair)],
                "special_tokens": {\(processors.joined(separator: ", "))}
              },
              "decoder": \(decoder),
              "model": {
                "type": "BPE",
                "dropout": null,
                "unk_token": null,
                "continuing_subword_prefix": null,
                "end_of_word_suffix": null,
                "fuse_unk": false,
                "byte_fallback": false,
                "ignore_merges": false,
                "vocab": {
            \(vocabulary.joined(separator: ",\n"))
                },
                "merges": [
            \(rules.joined(separator: ",\n"))
                ]
              }
            }

            """
        return Data(document.utf8)
    }

    /// Whether a file is what this tokenizer writes, whatever its truncation.
    func wrote(_ file: Data) -> Bool {
        let own = String(decoding: json(), as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        let theirs = String(decoding: file, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        return own.count == theirs.count
            && zip(own, theirs).allSatisfy {
                $0 == $1 || ($0.hasPrefix("  \"truncation\"") && $1.hasPrefix("  \"truncation\""))
            }
    }

    /// Writes `tokenizer.json`, replacing what was there in one step.
    /// - Throws: `Failure(.cannotCreate)`.
    public func write(path: String, contextLength: Int? = nil) throws {
        do { try json(contextLength: contextLength).write(to: URL(fileURLWithPath: path), options: .atomic) } catch {
            throw Failure(.cannotCreate, "cannot write the tokenizer \(path): \(error.localizedDescription)")
        }
    }

    /// How a token is written down: marks by name, others byte by byte.
    private func text(of token: Int) -> String {
        if token == Int(startOfText) { return Self.startOfTextName }
        if token == Int(endOfText) { return Self.endOfTextName }
        return ByteSymbols.text(of: tokens[token])
    }

    private static let byteLevel =
        #"{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true}"#

    private var normalizer: String {
        let steps = [
            options.lowercases ? #"{"type": "Lowercase"}"# : nil,
            options.prependsSpace ? #"{"type": "Prepend", "prepend": " "}"# : nil,
        ].compactMap { $0 }
        if steps.isEmpty { return "null" }
        return steps.count == 1
            ? steps[0] : #"{"type": "Sequence", "normalizers": [\#(steps.joined(separator: ", "))]}"#
    }

    private var decoder: String {
        guard options.prependsSpace else { return Self.byteLevel }
        return
            #"{"type": "Sequence", "decoders": [\#(Self.byteLevel), {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}"#
    }
}
