// What the rest of the library needs of a tokenizer. Not here: the kinds (Tokenizer, ByteBPETokenizer).

public import Foundation

/// Text to token ids, and the file that says how.
///
/// Implementations may be used from several threads, and are functions: equal texts have equal tokens.
public protocol TextTokenizer: Sendable {
    /// V: the number of rows an embedding table needs, one more than the largest id.
    var vocabularySize: Int { get }

    /// How many special tokens are put around every text; a context must be longer.
    var specialTokenCount: Int { get }

    /// Ids of the text with the special tokens around it, the text's own cut so that there are at most `contextLength` in all.
    /// - Precondition: `contextLength >= specialTokenCount`.
    func encode(_ text: String, contextLength: Int) -> [Int32]

    /// The tokenizer as a `tokenizer.json`, kept with checkpoints: one that was read is given back byte for byte.
    /// - Parameter contextLength: written as the truncation of other programs where the file is made here.
    func file(contextLength: Int) -> Data
}

extension ByteBPETokenizer: TextTokenizer {
    public var specialTokenCount: Int { 2 }
    public func file(contextLength: Int) -> Data { json(contextLength: contextLength) }
}

/// The tokenizer of a published model's directory: the trained kind if `ByteBPETokenizer` wrote its tokenizer.json, else what the files say.
/// - Parameters:
///   - origin: how messages call the directory.
///   - contents: a file of it; nil where there is none.
/// - Throws: `Failure(.inputMissing)` that says which files were looked for; `Failure(.data)` that names the place and what is wrong there.
public func readTokenizer(of origin: String, contents: (String) -> Data?) throws -> any TextTokenizer {
    if let json = contents("tokenizer.json"), let trained = try? ByteBPETokenizer(json: json, name: origin),
        trained.wrote(json)
    {
        return trained
    }
    return try Tokenizer(of: origin, contents)
}

/// The tokenizer of a checkpoint's file: the trained kind if `ByteBPETokenizer` wrote the file, else what any `tokenizer.json` says.
///
/// They differ in one thing: marks written out in a text are text to a `ByteBPETokenizer`, and special tokens to other programs.
/// - Parameter name: how messages call the file.
/// - Throws: `Failure(.data)` that names the place and what is wrong there.
public func readTokenizer(json: Data, name: String) throws -> any TextTokenizer {
    if let trained = try? ByteBPETokenizer(json: json, name: name), trained.wrote(json) { return trained }
    return try Tokenizer(json: json, name: name)
}
