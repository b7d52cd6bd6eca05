// `normalizer` of a tokenizer.json. Not here: what the rules do (Normalizer).

import Failures
import Foundation

extension JSONPlace {
    private static let normalizers =
        "Sequence, BertNormalizer, NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Replace, Prepend, Precompiled, ByteLevel, Nmt"

    /// The rule that stands here.
    var normalizer: Normalizer {
        get throws {
            let type = try self["type"].text
            switch type {
            case "Sequence": return .sequence(try self["normalizers"].elements.map { try $0.normalizer })
            case "BertNormalizer":
                let lowercases = try self["lowercase"].boolean
                return .bert(
                    BertNormalizer(
                        cleans: try self["clean_text"].boolean,
                        padsIdeographs: try self["handle_chinese_chars"].boolean,
                        stripsAccents: try flag("strip_accents", default: lowercases), lowercases: lowercases))
            case "NFC": return .form(.composed)
            case "NFD": return .form(.decomposed)
            case "NFKC": return .form(.compatiblyComposed)
            case "NFKD": return .form(.compatiblyDecomposed)
            case "Lowercase": return .lowercase
            case "StripAccents": return .stripAccents
            case "Strip": return .strip(left: try self["strip_left"].boolean, right: try self["strip_right"].boolean)
            case "Replace": return .replace(try self["pattern"].pattern, Array(try self["content"].text.utf8))
            case "Prepend": return .prepend(Array(try self["prepend"].text.utf8))
            case "Precompiled": return try self["precompiled_charsmap"].charsmap
            case "ByteLevel": return .byteLevel
            case "Nmt": return .nmt
            default: throw unknownType(type, Self.normalizers)
            }
        }
    }

    private var charsmap: Normalizer {
        get throws {
            guard let data = Data(base64Encoded: try text) else { throw wrong("is not base 64") }
            do { return .precompiled(try Charsmap([UInt8](data))) } catch { throw wrong(error.message) }
        }
    }
}
