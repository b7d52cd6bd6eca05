// Encodes texts for a fuzzer that compares with other programs. Not here: the fuzzer (fuzz_tokenizers.py).

import Failures
import Foundation
import Tokenizers

/// `TokenizersProbe FILE.json|DIRECTORY`: reads texts from standard input, each its UTF-8's length as 4 bytes (little-endian) and the UTF-8; answers
/// each with the number of ids and the ids, 4 bytes each. With `--time REPEATS` instead: reads lines, encodes them all REPEATS times,
/// and prints ids per second of the fastest.
@main struct Probe {
    static func main() throws {
        let arguments = CommandLine.arguments
        do {
            let path = arguments[1]
            let tokenizer =
                path.hasSuffix(".json")
                ? try Tokenizer(json: try Data(contentsOf: URL(fileURLWithPath: path)), name: path)
                : try Tokenizer(directory: path)
            if arguments.count > 3 { time(tokenizer, repeats: Int(arguments[3]) ?? 1) } else { answer(tokenizer) }
        } catch let failure as Failure {
            FileHandle.standardError.write(Data("\(failure.message)\n".utf8))
            exit(failure.exitCode)
        }
    }

    private static func answer(_ tokenizer: Tokenizer) {
        let input = FileHandle.standardInput.readDataToEndOfFile()
        var output = Data()
        func append(_ number: Int32) { withUnsafeBytes(of: number.littleEndian) { output.append(contentsOf: $0) } }
        var position = 0
        while position + 4 <= input.count {
            let length = (0..<4).reduce(0) { $0 | Int(input[position + $1]) << (8 * $1) }
            position += 4
            let text = String(decoding: input[position..<position + length], as: UTF8.self)
            position += length
            let ids = tokenizer.encode(text)
            append(Int32(ids.count))
            ids.forEach(append)
        }
        FileHandle.standardOutput.write(output)
    }

    private static func time(_ tokenizer: Tokenizer, repeats: Int) {
        let input = FileHandle.standardInput.readDataToEndOfFile()
        let lines = String(decoding: input, as: UTF8.self).split(separator: "\n").map { String($0) }
        var best = Double.infinity
        var count = 0
        for _ in 0..<repeats {
            count = 0
            let seconds = ContinuousClock().measure { for line in lines { count += tokenizer.encode(line).count } }
            best = min(best, Double(seconds.components.seconds) + Double(seconds.components.attoseconds) * 1e-18)
        }
        print("{\"ids\": \(count), \"ids_per_second\": \(Int(Double(count) / best))}")
    }
}
