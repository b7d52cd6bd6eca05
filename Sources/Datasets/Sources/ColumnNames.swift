// The names of fields that are understood without being configured. Not here: reading fields (RowMapper).

/// Whether a list of texts in a field of this name is one of texts that are complete each; passages are, in any field.
public func isChoiceField(_ name: String) -> Bool { ColumnNames.choices.contains(name) }

/// Fields that mean the same in the formats people have.
///
/// - sentence-transformers: `anchor`, `positive`, `negative` (also `negative_1` …), `sentence1` and `sentence2`, `query` or `question`
///   and `answer`;
/// - FlagEmbedding: `query`, `pos`, `neg`;
/// - Tevatron: `query`, `positive_passages`, `negative_passages`;
/// - pictures with captions: `image`, `text`, `caption`, and the extensions of WebDataset's members.
enum ColumnNames {
    static let pictures = ["image", "image_path", "file", "file_name"]
    static let pictureExtensions = ["jpg", "jpeg", "png", "webp", "gif"]
    static let captions = ["text", "caption"]
    static let queries = ["anchor", "query", "question", "sentence1", "text1", "sentence_1"]
    static let targets = [
        "positive", "pos", "positives", "positive_passages", "answer", "answers", "sentence2", "text2", "sentence_2",
        "passage", "document", "response",
    ]
    static let negatives = ["negative", "neg", "negatives", "negative_passages", "hard_negatives"]
    /// A list in one of these holds texts that are complete each, and not captions that may be joined.
    static let choices: Set<String> = ["positive", "pos", "positives", "positive_passages", "answers"]
    /// Beside automatically recognised texts these say that a row may be no positive pair.
    static let labels = ["label", "score", "similarity_score"]

    /// The names under which a column is looked for, in order.
    /// - Parameter other: what the other side holds; nil when it is not looked for.
    static func candidates(_ column: Column, _ side: PairRole, other: ColumnKind?) -> [String] {
        if let name = column.name {
            return [name] + ([pictures, captions].first { $0.contains(name) } ?? []).filter { $0 != name }
        }
        switch column.kind {
        case .picture: return pictures + pictureExtensions
        case .features: return []
        case .text:
            let own = side == .query ? queries : targets
            let plain = captions + ["txt", "json.text", "json.caption"]
            return other == .picture ? plain + own : own + (side == .target || other == nil ? plain : [])
        }
    }

    /// Numbered negatives: `negative_1`, `negative_2` … (or `neg_1` …), in the order of their numbers.
    static func numberedNegatives(_ names: [String]) -> [String] {
        names.compactMap { name -> (number: Int, name: String)? in
            guard let place = name.lastIndex(of: "_"), ["negative", "neg", "hard_negative"].contains(name[..<place]),
                let number = Int(name[name.index(after: place)...])
            else { return nil }
            return (number, name)
        }.sorted { ($0.number, $0.name) < ($1.number, $1.name) }.map(\.name)
    }
}
