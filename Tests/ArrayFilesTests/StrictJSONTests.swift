// The grammar of JSON. Not here: what safetensors headers make of it.

import Foundation
import Testing

@testable import ArrayFiles

@Suite struct StrictJSONTests {
    static func parse(_ text: String) throws -> StrictJSON {
        try Array(text.utf8).withUnsafeBytes { try StrictJSON(parsing: $0) }
    }

    static let good: [(String, StrictJSON)] = [
        ("null", .null), (" true ", .boolean(true)), ("false\n", .boolean(false)), ("0", .integer(0)),
        ("-0", .integer(0)),
        ("-12", .integer(-12)), ("9223372036854775807", .integer(.max)),
        ("9223372036854775808", .number("9223372036854775808")),
        ("1.50", .number("1.50")), ("1e5", .number("1e5")), ("-0.1E-07", .number("-0.1E-07")),
        ("1e+2", .number("1e+2")),
        ("\"\"", .string("")), (#""a\"\\\/\b\f\n\r\té""#, .string("a\"\\/\u{8}\u{c}\n\r\té")),
        (#""\u0041\u00e9\ud83d\ude00""#, .string("Aé😀")), ("[]", .array([])),
        ("[1, [2],\t3]", .array([.integer(1), .array([.integer(2)]), .integer(3)])),
        ("{}", .object([])),
        (#"{"b":1,"a":{"b":null}}"#, .object([("b", .integer(1)), ("a", .object([("b", .null)]))])),
    ]

    @Test(arguments: good.indices) func valuesAreRead(index: Int) throws {
        #expect(try Self.parse(Self.good[index].0) == Self.good[index].1)
    }

    /// Text, the byte where it goes wrong.
    static let bad: [(String, Int)] = [
        ("", 0), (" ", 1), ("nul", 0), ("True", 0), ("NaN", 0), ("+1", 0), ("01", 2), ("-", 1), ("1.", 2), (".5", 0),
        ("1e", 2), ("1 2", 2),
        ("0x10", 1), ("\"", 1), ("\"a", 2), ("'a'", 0), ("\"\t\"", 1), (#""\x""#, 2), (#""\u12""#, 2),
        (#""\u+123""#, 2),
        (#""\ud83d""#, 7), (#""\ude00""#, 7), (#""\ud83dA""#, 7), ("[", 1), ("[1", 2), ("[1,]", 3), ("[1 2]", 3),
        ("[,1]", 1),
        ("{", 1), ("{,}", 1), (#"{"a"}"#, 4), (#"{"a":}"#, 5), (#"{"a":1,}"#, 7), (#"{"a":1 "b":2}"#, 7),
        (#"{"a":1,"a":1}"#, 7), ("{1:2}", 1),
        ("[]]", 2), (String(repeating: "[", count: 1000), 64),
    ]

    @Test(arguments: bad.indices) func errorsHaveTheirPlace(index: Int) throws {
        let error = #expect(throws: StrictJSON.Malformed.self) { try Self.parse(Self.bad[index].0) }
        #expect(error?.byte == Self.bad[index].1, "\(Self.bad[index].0): \(String(describing: error))")
    }

    @Test(arguments: ["", "a", "\"\\/", "\u{0}\u{1F}\u{7F}", "é↑😀", "\u{2028}"]) func quotedTextIsReadBack(text: String)
        throws
    {
        #expect(try Self.parse(StrictJSON.quoted(text)) == .string(text))
    }

    /// A value takes more memory than the two bytes that can write it, so there may not be one every two bytes.
    @Test(arguments: ["0", "[]", "{}", "\"\""]) func manyTinyValuesAreRefused(value: String) {
        let text = Array(("[" + Array(repeating: value, count: 1_000_000).joined(separator: ",") + "]").utf8)
        text.withUnsafeBytes { bytes in
            let error = #expect(throws: StrictJSON.Malformed.self) { try StrictJSON(parsing: bytes) }
            #expect(error?.expected.hasPrefix("fewer values") == true)
        }
    }

    /// As many as real headers have are read.
    @Test func manyNamedValuesAreRead() throws {
        let members = (0..<20_000).map { #""t\#($0)":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}"# }
        let text = Array("{\(members.joined(separator: ","))}".utf8)
        guard case .object(let found) = try text.withUnsafeBytes({ try StrictJSON(parsing: $0) }) else {
            Issue.record("no object")
            return
        }
        #expect(found.count == 20_000)
    }
}
