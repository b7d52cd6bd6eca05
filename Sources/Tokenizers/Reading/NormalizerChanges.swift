// What files beside tokenizer.json change of its normaliser. Not here: the normaliser (NormalizerReading), files without it
// (TokenizerDirectory).

import Foundation

/// Changes that `transformers` and `sentence-transformers` make when they read a directory.
struct NormalizerChanges {
    /// `transformers` gives the tokenizers of BERT and MPNet a normaliser by the keys of tokenizer_config.json, whatever tokenizer.json
    /// says; nil: another class, or no such file.
    private var bert: BertNormalizer?
    /// `do_lower_case` of sentence_bert_config.json: `sentence-transformers` puts a Lowercase in front.
    private var lowercasesFirst = false

    init() {}

    /// - Parameters:
    ///   - contents: a file of the directory.
    ///   - origin: how messages call the directory.
    init(of origin: String, _ contents: (String) -> Data?) throws {
        func file(_ name: String) throws -> JSONPlace? {
            try contents(name).map { try JSONPlace(document: $0, file: "\(origin)/\(name)") }
        }
        if let config = try file("tokenizer_config.json"),
            ["BertTokenizer", "BertTokenizerFast", "MPNetTokenizer", "MPNetTokenizerFast"].contains(
                try config.optional("tokenizer_class")?.text)
        {
            let lowercases = try config.flag("do_lower_case", default: true)
            bert = BertNormalizer(
                cleans: true, padsIdeographs: try config.flag("tokenize_chinese_chars", default: true),
                stripsAccents: try config.flag("strip_accents", default: lowercases), lowercases: lowercases)
        }
        lowercasesFirst = try file("sentence_bert_config.json")?.flag("do_lower_case", default: false) ?? false
    }

    func applied(to normalizer: Normalizer?) -> Normalizer? {
        var result = normalizer
        if let bert, case .bert? = normalizer { result = .bert(bert) }
        guard lowercasesFirst else { return result }
        var rules: [Normalizer] = []
        if case .sequence(let own)? = result { rules = own } else if let result { rules = [result] }
        let lowercasesAlready = rules.contains { if case .lowercase = $0 { true } else { false } }
        return lowercasesAlready ? result : .sequence([.lowercase] + rules)
    }
}
