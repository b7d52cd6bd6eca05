// `pre_tokenizer` of a tokenizer.json. Not here: what the rules do (PreTokenizer).

import Failures

extension JSONPlace {
    private static let preTokenizers =
        "Sequence, BertPreTokenizer, ByteLevel, Metaspace, Split, Whitespace, WhitespaceSplit, Punctuation, Digits, UnicodeScripts, "
        + "CharDelimiterSplit, FixedLength"

    /// The rule that stands here.
    var preTokenizer: PreTokenizer {
        get throws {
            let type = try self["type"].text
            switch type {
            case "Sequence": return .sequence(try self["pretokenizers"].elements.map { try $0.preTokenizer })
            case "BertPreTokenizer": return .bert
            case "ByteLevel":
                return .byteLevel(
                    addsPrefixSpace: try flag("add_prefix_space", default: true),
                    splits: try flag("use_regex", default: true))
            case "Metaspace": return try metaspace
            case "Split":
                return .split(
                    try self["pattern"].pattern, try self["behavior"].choice(SplitBehaviour.self),
                    inverts: try flag("invert", default: false))
            case "Whitespace": return .whitespace
            case "WhitespaceSplit": return .whitespaceSplit
            case "Punctuation":
                return .punctuation(try optional("behavior")?.choice(SplitBehaviour.self) ?? .isolated)
            case "Digits": return .digits(individual: try flag("individual_digits", default: false))
            case "UnicodeScripts": return .unicodeScripts
            case "CharDelimiterSplit": return .delimiter(try self["delimiter"].scalar.value)
            case "FixedLength": return .fixedLength(try self["length"].integer(in: 1...Int(Int32.max)))
            default: throw unknownType(type, Self.preTokenizers)
            }
        }
    }

    /// Before `prepend_scheme` there was `add_prefix_space`.
    private var metaspace: PreTokenizer {
        get throws {
            var scheme = try optional("prepend_scheme")?.choice(PreTokenizer.PrependScheme.self) ?? .always
            if try !flag("add_prefix_space", default: true) {
                guard try optional("prepend_scheme") == nil || scheme == .never else {
                    throw wrong("says add_prefix_space false and prepend_scheme \(scheme.rawValue)")
                }
                scheme = .never
            }
            return .metaspace(
                replacement: Array(String(try self["replacement"].scalar).utf8), scheme: scheme,
                splits: try flag("split", default: true))
        }
    }

    /// A text of one scalar.
    private var scalar: Unicode.Scalar {
        get throws {
            let scalars = try text.unicodeScalars
            guard let scalar = scalars.first, scalars.count == 1 else {
                throw wrong("has \(scalars.count) characters instead of one")
            }
            return scalar
        }
    }
}
