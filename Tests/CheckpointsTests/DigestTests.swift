// SHA-256 against the standard's examples. Not here: checkpoints.

import ArrayFiles
import Foundation
import Testing

@testable import Checkpoints

@Suite struct DigestTests {
    /// FIPS 180-4 examples and the empty message.
    static let known = [
        ("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        ("a", 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ]

    @Test(arguments: known) func knownAnswers(text: String, times: Int, expected: String) throws {
        let bytes = Array(String(repeating: text, count: times).utf8)
        #expect(hexadecimal(Digest.of(bytes)) == expected)
        let digest = Digest()
        for start in stride(from: 0, to: bytes.count, by: 777) {
            bytes[start..<min(start + 777, bytes.count)].withUnsafeBytes { digest.update($0) }
        }
        #expect(hexadecimal(digest.finish()) == expected)
        let folder = try TemporaryFolder()
        try Data(bytes).write(to: URL(filePath: "\(folder.path)/x"))
        #expect(hexadecimal(try Digest.of(InputFile(path: "\(folder.path)/x"))) == expected)
    }

    /// A file longer than the pieces it is read in.
    @Test func longFilesAreDigestedWhole() throws {
        let folder = try TemporaryFolder()
        let bytes = (0..<3_000_001).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        try Data(bytes).write(to: URL(filePath: "\(folder.path)/x"))
        #expect(try Digest.of(InputFile(path: "\(folder.path)/x")) == Digest.of(bytes))
    }
}
