// SHA-256 through OpenSSL. Not here: what is digested.

import ArrayFiles
private import COpenSSL
import Failures
import Foundation

/// A running SHA-256 (FIPS 180-4), by OpenSSL's EVP interface, which uses the processor's SHA instructions where there are any.
final class Digest {
    /// Bytes of a finished digest.
    static let byteCount = 32
    private let context: OpaquePointer

    init() {
        guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
            preconditionFailure(
                "OpenSSL cannot make a SHA-256 context: out of memory, or a provider that forbids SHA-256")
        }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    func update(_ bytes: UnsafeRawBufferPointer) {
        precondition(
            EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1, "SHA-256 of \(bytes.count) bytes failed")
    }

    /// The digest of all bytes so far; no update may follow.
    func finish() -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Self.byteCount)
        precondition(EVP_DigestFinal_ex(context, &digest, nil) == 1, "SHA-256 cannot be finished twice")
        return digest
    }

    /// The digest of a file, read in pieces of one megabyte.
    static func of(_ file: InputFile) throws -> [UInt8] {
        let digest = Digest()
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
        defer { piece.deallocate() }
        for start in stride(from: 0, to: file.byteCount, by: piece.count) {
            let part = UnsafeMutableRawBufferPointer(rebasing: piece[..<min(piece.count, file.byteCount - start)])
            try file.read(into: part, at: start)
            digest.update(UnsafeRawBufferPointer(part))
        }
        return digest.finish()
    }

    static func of(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        let digest = Digest()
        Array(bytes).withUnsafeBytes { digest.update($0) }
        return digest.finish()
    }
}

/// Lower-case hexadecimal digits, two a byte.
func hexadecimal(_ bytes: some Sequence<UInt8>) -> String { bytes.map { String(format: "%02x", $0) }.joined() }
