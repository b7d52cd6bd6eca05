// The entry points that libFuzzer calls. Not here: the parsers (Targets*.swift), building and running (Fuzzing/run).

import Failures
import Foundation

/// One parser: what it does with arbitrary bytes. It may return or throw a `Failure`; anything else (a trap, another error, too much
/// memory, too much time) is a finding.
struct FuzzTarget: Sendable {
    let name: String
    let parse: @Sendable (Input) throws -> Void
}

/// The bytes of one execution, as bytes and as a file.
struct Input {
    let bytes: UnsafeRawBufferPointer

    var data: Data { Data(bytes) }
    var text: String? { String(validating: bytes, as: UTF8.self) }

    /// A regular file without a name that holds the bytes; the same one in every execution.
    func withFile(_ body: (String) throws -> Void) throws {
        let descriptor = Input.file
        var rest = bytes
        var offset = 0
        guard ftruncate(descriptor, 0) == 0 else { fatalError("the file cannot be emptied") }
        while !rest.isEmpty {
            let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset))
            guard count > 0 else { fatalError("the file cannot be written") }
            offset += count
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
        try body("/proc/self/fd/\(descriptor)")
    }

    private static let file: Int32 = {
        var name = Array((NSTemporaryDirectory() + "fuzz-XXXXXX").utf8CString)
        let descriptor = mkstemp(&name)
        guard descriptor >= 0 else { fatalError("no file can be made in \(NSTemporaryDirectory())") }
        unlink(name)
        return descriptor
    }()
}

/// Chosen by FUZZ_TARGET.
private let chosen: FuzzTarget = {
    let name = ProcessInfo.processInfo.environment["FUZZ_TARGET"] ?? ""
    guard let target = targets.first(where: { $0.name == name }) else {
        FileHandle.standardError.write(
            Data("FUZZ_TARGET is '\(name)', none of: \(targets.map(\.name).joined(separator: " "))\n".utf8))
        exit(64)
    }
    return target
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Input(bytes: UnsafeRawBufferPointer(start: start, count: count))
    do { try chosen.parse(input) } catch let failure as Failure {
        // The message is a part of what a hostile file controls.
        precondition(failure.message.utf8.count <= 10_000, "a message of \(failure.message.utf8.count) bytes")
        precondition(failure.kind != .internal, "an internal failure: \(failure.message)")
    } catch { fatalError("an error that is no Failure: \(error)") }
    return 0
}
