// `post_processor` of a tokenizer.json, for single texts. Not here: putting the tokens around texts (Tokenizer).

import Failures

extension JSONPlace {
    private static let postProcessors = "Sequence, TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel"

    /// What is put around a text, one template after the other.
    var templates: [[Tokenizer.TemplatePart]] {
        get throws {
            let type = try self["type"].text
            switch type {
            case "Sequence": return try self["processors"].elements.flatMap { try $0.templates }
            case "TemplateProcessing": return [try template]
            case "BertProcessing", "RobertaProcessing":
                return [[.special([try self["cls"].pairID]), .text, .special([try self["sep"].pairID])]]
            case "ByteLevel": return []
            default: throw unknownType(type, Self.postProcessors)
            }
        }
    }

    /// `["[SEP]", 102]`
    private var pairID: Int32 {
        get throws {
            let parts = try elements
            guard parts.count == 2 else { throw wrong("has \(parts.count) elements instead of a token and its id") }
            _ = try parts[0].text
            return try parts[1].id
        }
    }

    private var template: [Tokenizer.TemplatePart] {
        get throws {
            var special: [String: [Int32]] = [:]
            for (_, place) in try optional("special_tokens")?.members ?? [] {
                special[try place["id"].text] = try place["ids"].elements.map { try $0.id }
            }
            let single = try self["single"]
            let parts = try single.elements.map { piece -> Tokenizer.TemplatePart in
                if let name = try piece.optional("SpecialToken")?["id"] {
                    guard let ids = special[try name.text] else {
                        throw name.wrong("is '\(try name.text)', which special_tokens does not have")
                    }
                    return .special(ids)
                }
                let sequence = try piece["Sequence"]["id"]
                guard try sequence.text == "A" else { throw sequence.wrong("is '\(try sequence.text)' instead of A") }
                return .text
            }
            // With the text twice, every template of a sequence would double it.
            let texts = parts.count { $0 == .text }
            guard texts == 1 else { throw single.wrong("has the text \(texts) times instead of once") }
            return parts
        }
    }
}
