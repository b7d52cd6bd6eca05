// Where the commands print. Not here: progress during training (Training).

import ArrayFiles
import Failures
import Foundation

/// A line for people: standard error. One that cannot be written is lost; the work is not.
func tell(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8)) }

/// A line on standard output.
/// - Throws: `Failure(.inputOutput)` when nobody takes it: disk full, reader gone, closed.
func printLine(_ text: String) throws {
    let line = Array((text + "\n").utf8)
    var done = 0
    while done < line.count {
        let count = line.withUnsafeBytes { bytes in
            bytes.baseAddress.map { write(STDOUT_FILENO, $0 + done, bytes.count - done) } ?? 0
        }
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { throw Failure(.inputOutput, "standard output cannot be written: \(systemMessage())") }
        done += count
    }
}

/// The result for programs: one JSON object as the last line of standard output, keys sorted. A number that is not finite is null.
func printJSON(_ value: some Encodable) throws {
    // No text of a user has this scalar, of a private area, at both ends.
    let mark = "\u{F8FF}not finite\u{F8FF}"
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
        positiveInfinity: mark, negativeInfinity: mark, nan: mark)
    let text = String(decoding: try encoder.encode(value), as: UTF8.self)
    try printLine(text.replacingOccurrences(of: "\"\(mark)\"", with: "null"))
}

/// A number with so many digits behind the point.
func fixed(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }

/// - Throws: `Failure(.usage)` when the output is one of the inputs, by whatever path: what is read would be replaced.
func requireNoInput(_ output: String?, among inputs: [String?]) throws {
    func identity(_ path: String?) -> [UInt64]? {
        var status = stat()
        guard let path, stat(path, &status) == 0 else { return nil }
        return [UInt64(status.st_dev), UInt64(status.st_ino)]
    }
    guard let output, let own = identity(output) else { return }
    for input in inputs.compactMap({ $0 }) where identity(input) == own {
        throw Failure(.usage, "the output \(output) is the input\(input == output ? "" : " \(input)"); write elsewhere")
    }
}

extension OutputFile {
    /// Writes a file, whole or not at all.
    static func write(_ data: Data, to path: String) throws {
        let file = try OutputFile(path: path)
        try data.withUnsafeBytes { try file.write($0) }
        try file.commit()
    }

    /// Appends a JSON object as a line, keys sorted.
    func write(line value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let line = try encoder.encode(value) + [UInt8(ascii: "\n")]
        try line.withUnsafeBytes { try write($0) }
    }
}
