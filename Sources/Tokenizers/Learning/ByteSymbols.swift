// Bytes as printable characters, for vocabularies stored as text. Not here: splitting (WordSplitter), merging (BPETrainer, ByteBPETokenizer).

/// GPT-2's bijection between the 256 bytes and 256 printable characters, in which byte-level vocabularies are written down.
///
/// Printable Latin-1 bytes (33…126, 161…172, 174…255) stand for themselves; the other 68, in ascending order, for U+0100 + n.
/// Source: Radford et al., "Language models are unsupervised multitask learners" (2019), `bytes_to_unicode` of the published code.
enum ByteSymbols {
    /// Character of each byte.
    static let characters: [Unicode.Scalar] = {
        var next: UInt32 = 0x100
        return (0..<256).map { byte in
            let value = UInt32(byte)
            if 33...126 ~= value || 161...172 ~= value || 174...255 ~= value { return Unicode.Scalar(UInt8(byte)) }
            defer { next += 1 }
            return Unicode.Scalar(next) ?? " "
        }
    }()

    private static let bytes: [Unicode.Scalar: UInt8] = Dictionary(
        uniqueKeysWithValues: characters.enumerated().map { ($1, UInt8($0)) })

    /// The text that stands for `token`.
    static func text(of token: some Sequence<UInt8>) -> String {
        var result = String.UnicodeScalarView()
        for byte in token { result.append(characters[Int(byte)]) }
        return String(result)
    }

    /// The bytes that `text` stands for; nil if it has a character outside the alphabet.
    static func bytes(of text: String) -> [UInt8]? {
        var result: [UInt8] = []
        for scalar in text.unicodeScalars {
            guard let byte = bytes[scalar] else { return nil }
            result.append(byte)
        }
        return result
    }
}
