// Which documents are relevant to which queries: the qrels of a retrieval benchmark. Not here: texts, scores.

import Failures
import Foundation

/// The judgements of a BEIR `qrels/*.tsv`: query, document and grade in each line, tab between; the first line names the columns.
///
/// Grades are integers; 1 and more is relevant. A first line whose grade is an integer is a judgement.
public struct RelevanceJudgements: Sendable {
    /// Grade by document, by query.
    public let grades: [String: [String: Int]]
    /// Queries in the order in which the file names them first.
    public let queries: [String]

    /// - Throws: `Failure(.inputMissing)`; `Failure(.data)` naming the line that has other columns, a grade that is no integer, or a pair
    ///   that was judged otherwise before.
    public init(path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else {
            let folder = (path as NSString).deletingLastPathComponent
            let others = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter {
                $0.hasSuffix(".tsv")
            }
            throw Failure(
                .inputMissing,
                FileManager.default.fileExists(atPath: path)
                    ? "\(path) cannot be read; check its permissions"
                    : "\(path) is missing; it is a TSV file with the columns query-id, corpus-id and score. "
                        + (others.isEmpty
                            ? "No such file lies there" : "There are: \(others.sorted().joined(separator: ", "))")
            )
        }
        guard let text = String(validating: data.withoutByteOrderMark, as: UTF8.self) else {
            throw Failure(.data, "\(path) is not UTF-8 text")
        }
        var grades: [String: [String: Int]] = [:]
        var queries: [String] = []
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated()
        where !line.allSatisfy(\.isWhitespace) {
            let place = "\(path):\(index + 1)"
            let columns = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard columns.count == 3, !columns[0].isEmpty, !columns[1].isEmpty else {
                throw Failure(
                    .data,
                    "\(place): expected the three columns query-id, corpus-id and score with tabs between, found \(columns.count)"
                )
            }
            guard let grade = Int(columns[2].trimmingCharacters(in: .whitespaces)) else {
                if index == 0 { continue }
                throw Failure(.data, "\(place): expected a grade that is an integer, found '\(columns[2])'")
            }
            if grades[columns[0]] == nil { queries.append(columns[0]) }
            let before = grades[columns[0], default: [:]].updateValue(grade, forKey: columns[1])
            guard before == nil || before == grade else {
                throw Failure(
                    .data,
                    "\(place): '\(columns[1])' was judged \(before ?? 0) for '\(columns[0])' before, and is judged \(grade) here"
                )
            }
        }
        guard !queries.isEmpty else { throw Failure(.data, "\(path) has no judgements") }
        (self.grades, self.queries) = (grades, queries)
    }
}
