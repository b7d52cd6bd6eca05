// A whole tokenizer.json. Not here: its parts (the other readers), directories (TokenizerDirectory).

import Failures
public import Foundation

extension Tokenizer {
    /// Reads a `tokenizer.json`. Padding and the decoder have no part in ids and are not looked at; of truncation only the direction is.
    /// - Parameter name: how messages call the file.
    /// - Throws: `Failure(.data)` that names the place and what is wrong there; an unknown kind of rule with those that are known.
    public convenience init(json: Data, name: String) throws {
        try self.init(json: json, name: name, changes: NormalizerChanges())
    }

    /// - Parameter truncatesLeft: what another file says of the end that long texts lose; nil: nothing.
    convenience init(json: Data, name: String, changes: NormalizerChanges, truncatesLeft: Bool? = nil) throws {
        let document = try JSONPlace(document: json, file: name)
        let normalizer = changes.applied(to: try document.optional("normalizer")?.normalizer)
        let (model, count, maximumID) = try document["model"].model
        let added = try document.optional("added_tokens")?.addedTokens(model: model, count: count) ?? []
        let truncation = try document.optional("truncation")
        let templates = try document.optional("post_processor")?.templates ?? []
        let around = templates.joined().flatMap { part in if case .special(let ids) = part { ids } else { [Int32]() } }
        let rules = Rules(
            normalizer: normalizer, preTokenizer: try document.optional("pre_tokenizer")?.preTokenizer, model: model,
            rawTokens: AddedTokens(added.filter { !$0.isNormalized }),
            normalizedTokens: AddedTokens(
                added.filter(\.isNormalized).map { token in
                    var (token, begins) = (token, true)
                    normalizer?.apply(&token.content, beginsText: &begins)
                    return token
                }),
            templates: templates,
            truncatesLeft: try truncatesLeft ?? (truncation?.optional("direction")?.text == "Left"),
            contextLength: try truncation?.optional("max_length")?.integer(in: 0...Int.max),
            vocabularySize: Int(max(maximumID, added.map(\.id).max() ?? -1, around.max() ?? -1)) + 1,
            addedIDs: Dictionary(added.map { ($0.content, $0.id) }) { first, _ in first })
        self.init(rules, json: json)
    }
}

extension JSONPlace {
    /// The entries of `added_tokens`, special ones first, as `tokenizers` looks for them.
    ///
    /// A token that the model has keeps its id there; others take those after the model's, in order. A file that says otherwise would
    /// mean other rows of an embedding table to other programs, and is refused.
    fileprivate func addedTokens(model: WordModel, count: Int) throws -> [AddedToken] {
        var special: [AddedToken] = []
        var other: [AddedToken] = []
        var ids: [[UInt8]: Int32] = [:]
        var next = Int32(count)
        let entries = try elements.map { (place: $0, id: try $0["id"].id, content: try $0["content"].text) }
        for (place, id, text) in entries.sorted(by: { $0.id < $1.id }) where !text.isEmpty {
            let content = Array(text.utf8)
            let known = ids[content] ?? model.id(of: content)
            guard id == known ?? next else {
                throw place.wrong(
                    "gives '\(text.prefix(40))' the id \(id), where other programs give it \(known ?? next)")
            }
            guard ids[content] == nil else { continue }
            ids[content] = id
            next = max(next, id + 1)
            let isSpecial = try place.flag("special", default: false)
            let token = AddedToken(
                id: id, content: content, isSingleWord: try place.flag("single_word", default: false),
                stripsLeft: try place.flag("lstrip", default: false),
                stripsRight: try place.flag("rstrip", default: false),
                isNormalized: try place.flag("normalized", default: !isSpecial))
            if isSpecial { special.append(token) } else { other.append(token) }
        }
        return special + other
    }
}
