// From what a configuration names to files: braces and wildcards. Not here: what kind of files they are (DataFormat).

import Failures
import Foundation

/// Expands `shard-{000..099}.tar`, `{a,b}.jsonl` and `part-*.jsonl`.
enum PathPattern {
    /// More files than this are refused.
    static let maximumFiles = 1_000_000
    /// Braces of one pattern; more are refused. Each may mean one word alone, so that the number of files does not bound them.
    static let maximumBraces = 64

    /// The files of several patterns, in the order of the patterns and, within one, in the order of the braces or of the names.
    ///
    /// A path that exists stands for itself, whatever characters it has.
    /// - Throws: `Failure(.inputMissing)` when wildcards match nothing, `Failure(.configuration)` for braces that mean nothing.
    static func files(_ patterns: [String]) throws(Failure) -> [String] {
        var files: [String] = []
        for pattern in patterns {
            if FileManager.default.fileExists(atPath: pattern) {
                files.append(pattern)
                continue
            }
            for path in try braces(pattern) { files += try wildcards(path) }
            guard files.count <= maximumFiles else { throw tooMany(pattern) }
        }
        return files
    }

    private static func tooMany(_ pattern: String) -> Failure {
        Failure(.configuration, "\(pattern) stands for more than \(maximumFiles) files; pack them into larger ones")
    }

    /// Every pair of braces replaced by each of its meanings, the first one changing least often.
    private static func braces(_ pattern: String) throws(Failure) -> [String] {
        var paths = [""]
        var rest = pattern[...]
        var count = 0
        while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
            count += 1
            guard count <= maximumBraces else {
                throw Failure(
                    .configuration, "\(pattern) has more than \(maximumBraces) braces; name its files one by one")
            }
            let meanings = try meanings(rest[rest.index(after: open)..<close], in: pattern)
            guard meanings.count * paths.count <= maximumFiles else { throw tooMany(pattern) }
            paths = paths.flatMap { path in meanings.map { path + rest[..<open] + $0 } }
            rest = rest[rest.index(after: close)...]
        }
        return paths.map { $0 + rest }
    }

    /// `000..099`: numbers with as many digits as the longer bound if either has leading zeros. `a,b`: these words.
    private static func meanings(_ inner: Substring, in pattern: String) throws(Failure) -> [String] {
        let parts = inner.split(separator: ",", omittingEmptySubsequences: false)
        if parts.count > 1 { return parts.map(String.init) }
        guard let dots = inner.firstRange(of: "..") else {
            throw Failure(
                .configuration, "\(pattern): {\(inner)} is neither a range, as {000..099}, nor a list, as {a,b}")
        }
        let (first, last) = (inner[..<dots.lowerBound], inner[dots.upperBound...])
        guard let low = UInt32(first), let high = UInt32(last), low <= high else {
            throw Failure(.configuration, "\(pattern): {\(inner)} is no range of numbers, as {000..099}")
        }
        guard high - low < maximumFiles else { throw tooMany(pattern) }
        let isPadded = [first, last].contains { $0.count > 1 && $0.first == "0" }
        let width = isPadded ? max(first.count, last.count) : 0
        return (low...high).map { number in
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
    }

    private static func wildcards(_ path: String) throws(Failure) -> [String] {
        guard path.contains(where: { "*?[".contains($0) }), !FileManager.default.fileExists(atPath: path) else {
            return [path]
        }
        var found = glob_t()
        defer { globfree(&found) }
        guard glob(path, 0, nil, &found) == 0 else {
            throw Failure(.inputMissing, "no file matches \(path)")
        }
        let names = (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].map { String(cString: $0) } }
        // glob sorts by the locale; bytes are the same everywhere.
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}
