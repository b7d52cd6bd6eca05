// Classification without training: a class is the mean of sentences about it. Not here: retrieval (BenchmarkEvaluation).
//
// Shapes: C classes, P templates, E embedding width.

import Buffers
public import Collectives
import Datasets
import Failures
import Foundation
import Kernels

/// Classes and the sentences that describe them.
public struct ZeroShotClasses: Sendable {
    /// How the data calls each class.
    public let labels: [String]
    /// How sentences call it.
    public let names: [String]
    /// Sentences with `{}` in the class's place.
    public let templates: [String]

    /// - Parameters:
    ///   - classes: a text file, one class a line: its name, or how the data calls it, a tab and its name. Nil: `labels`, with spaces for
    ///     underscores.
    ///   - templates: a text file, one sentence a line, with `{}` in the class's place; nil: the name alone.
    /// - Throws: `Failure` naming what is wrong with a file.
    public init(classes: String?, templates: String?, labels: [String]) throws {
        var (keys, names): ([String], [String]) = (labels, labels.map { $0.replacingOccurrences(of: "_", with: " ") })
        if let classes {
            let lines = try Self.lines(classes).map { $0.split(separator: "\t", maxSplits: 1).map(String.init) }
            (keys, names) = (lines.map { $0[0] }, lines.map { $0[$0.count - 1] })
        }
        if let twice = Dictionary(grouping: keys, by: { $0 }).first(where: { $0.value.count > 1 }) {
            throw Failure(.data, "\(classes ?? ""): the class '\(twice.key)' is there twice")
        }
        let sentences = try templates.map(Self.lines) ?? ["{}"]
        for sentence in sentences where !sentence.contains("{}") {
            throw Failure(.data, "\(templates ?? ""): '\(sentence)' has no {} for the class's name")
        }
        (self.labels, self.names, self.templates) = (keys, names, sentences)
    }

    private static func lines(_ path: String) throws -> [String] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Failure(.inputMissing, "\(path) cannot be read; give a text file, one entry a line")
        }
        guard let text = String(validating: data.withoutByteOrderMark, as: UTF8.self) else {
            throw Failure(.data, "\(path) is not UTF-8 text")
        }
        let lines = text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }.filter {
            !$0.isEmpty
        }
        guard !lines.isEmpty else { throw Failure(.data, "\(path) is empty") }
        return lines
    }

    /// C · P sentences, those of a class together.
    var sentences: [String] {
        names.flatMap { name in templates.map { $0.replacingOccurrences(of: "{}", with: name) } }
    }
}

/// How well a model classifies.
public struct ZeroShotReport: Sendable, Encodable {
    /// One class.
    public struct Class: Sendable, Encodable {
        public var label: String
        public var rows: Int
        /// Share of them that were given this class.
        public var top1: Double
    }

    /// A class that was taken for another.
    public struct Confusion: Sendable, Encodable {
        public var label: String
        public var takenFor: String
        public var rows: Int
    }

    public var top1: Double
    public var top5: Double
    /// Mean of the classes' own shares.
    public var meanClassTop1: Double
    public var rows: Int
    public var classes: [Class]
    /// The most frequent, at most ten.
    public var confusions: [Confusion]

    /// For people.
    public var summary: String {
        let percent = { (share: Double) in ProgressLine.decimal(share * 100, 1) + " %" }
        let worst = confusions.prefix(3).map { "\($0.label) taken for \($0.takenFor) (\($0.rows))" }
        // Of five classes all are among the first five.
        let five = classes.count > 5 ? "  top-5 \(percent(top5))" : ""
        return "top-1 \(percent(top1))\(five)  mean of classes \(percent(meanClassTop1))   "
            + "(\(counted(rows, "row")), \(classes.count) classes)"
            + (worst.isEmpty ? "" : "; most confused: " + worst.joined(separator: ", "))
    }
}

extension TrainedModel {
    /// Gives each row the class whose embedding is nearest: the mean of its sentences' unit embeddings, made a unit vector again (Radford
    /// et al., arXiv 2103.00020, section 3.1.4; ties in the order of classes). *Collective*; does not depend on the number of ranks.
    ///
    /// - Parameters:
    ///   - path: a folder whose subfolders are classes of pictures, or data like the run's, in which the text that belongs to a row is its
    ///     class.
    /// - Throws: `Failure(.usage)` when the model has no text side; `Failure(.data)` naming a row whose class is not among the classes.
    public func classify(
        _ path: String, classes: String?, templates: String?, chunk: Int, communicator: any Communicator
    ) throws -> ZeroShotReport {
        let task = try agreed(communicator) {
            try ClassificationTask(path, classes: classes, templates: templates, model: self, chunk: chunk)
        }
        let sentences = try task.sentences.gathered(communicator)
        let classes_CE = task.classEmbeddings(sentences, columns: columns)
        let count = task.classes.labels.count
        // For each row: the class it was given and the place of its own; zeros on the ranks that do not hold it.
        let given = Buffer<Int32>(repeating: 0, count: task.rows.count)
        let place = Buffer<Int32>(repeating: 0, count: task.rows.count)
        try agreed(communicator) {
            try task.rows.forEachUnit(from: communicator.rank, by: communicator.size) { rows, values in
                let scores = Floats(count: rows.count * count)
                gemm(
                    Matrix(values, rows: rows.count, columns: columns), .none,
                    Matrix(classes_CE, rows: count, columns: columns), .transposed,
                    into: Matrix(scores, rows: rows.count, columns: count))
                for row in rows {
                    let own = UnsafeBufferPointer(start: scores.base + (row - rows.lowerBound) * count, count: count)
                    let truth = task.truths[row]
                    let best = own.indices.reduce(0) { own[$1] > own[$0] ? $1 : $0 }
                    let before = own.indices.count {
                        own[$0] > own[truth] || own[$0] == own[truth] && $0 < truth
                    }
                    (given[row], place[row]) = (Int32(best), Int32(before))
                }
            }
        }
        try communicator.allReduce(given)
        try communicator.allReduce(place)
        return task.report(given: given.array, place: place.array)
    }
}

/// Rows, their classes, and the sentences of the classes.
private struct ClassificationTask {
    let classes: ZeroShotClasses
    let sentences: SideRows
    let rows: SideRows
    /// Class of each row, by its place among the classes.
    let truths: [Int]

    init(_ path: String, classes: String?, templates: String?, model: TrainedModel, chunk: Int) throws {
        let kinds = Side.allCases.map { (side: $0, kind: model.configuration.column($0).kind) }
        // Of two text sides, queries are what is classified.
        guard let textSide = kinds.last(where: { $0.kind == .text })?.side else {
            throw Failure(.usage, "zero-shot classification compares with texts; no side of this model encodes any")
        }
        let side = textSide.other
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        let (source, labels): (any PairSource, [String])
        if exists, isFolder.boolValue, model.configuration.column(side).kind == .picture {
            let pictures = try LabelledPictures(path: path, column: model.configuration.column(side))
            (source, labels) = (pictures, pictures.labels)
        } else {
            let pairs = try model.configuration.evaluationSource(path)
            labels = try (0..<pairs.count).map { row in
                let pair = try pairs.row(row, alternatives: false)
                guard let label = (textSide == .query ? pair.query : pair.target).texts.first else {
                    throw Failure(.data, "\(pair.place): the row has no text that names its class")
                }
                return label
            }
            source = OneSide(pairs, target: side == .target)
        }
        var seen: Set<String> = []
        let different = labels.filter { seen.insert($0).inserted }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        self.classes = try ZeroShotClasses(classes: classes, templates: templates, labels: different)
        let places = Dictionary(uniqueKeysWithValues: self.classes.labels.enumerated().map { ($1, $0) })
        truths = try labels.enumerated().map { row, label in
            guard let place = places[label] else {
                throw Failure(
                    .data,
                    "\(try source.row(row).place): the class '\(label)' is not among the \(places.count) of \(classes ?? "the data")"
                )
            }
            return place
        }
        let texts = self.classes.sentences.map { (side: PairSide.text($0, alternatives: []), place: "'\($0)'") }
        let prefix = model.configuration.column(textSide).prefix
        sentences = try model.sideRows(
            InlineSource(texts, kind: .text, prefix: prefix), side: textSide, unitRows: chunk)
        rows = try model.sideRows(source, side: side, unitRows: chunk)
    }

    /// [C, E] from the sentences' embeddings, [C · P, E].
    func classEmbeddings(_ sentences: Floats, columns: Int) -> Floats {
        let (count, templates) = (classes.labels.count, classes.templates.count)
        let (unit, norms) = (Floats(count: sentences.count), Floats(count: count * templates))
        normalizeRowsForward(
            sentences, rows: count * templates, columns: columns, epsilon: 1e-12, into: unit, inverseNorms: norms)
        let means = Floats(count: count * columns)
        meanPoolForward(unit, offsets: (0...count).map { $0 * templates }, columns: columns, into: means)
        let result = Floats(count: count * columns)
        normalizeRowsForward(
            means, rows: count, columns: columns, epsilon: 1e-12, into: result, inverseNorms: norms[0..<count])
        return result
    }

    func report(given: [Int32], place: [Int32]) -> ZeroShotReport {
        let labels = classes.labels
        var (totals, right) = ([Int](repeating: 0, count: labels.count), [Int](repeating: 0, count: labels.count))
        var pairs: [SIMD2<Int32>: Int] = [:]
        for (row, truth) in truths.enumerated() {
            totals[truth] += 1
            if place[row] == 0 {
                right[truth] += 1
            } else {
                pairs[SIMD2(Int32(truth), given[row]), default: 0] += 1
            }
        }
        let own = labels.indices.map {
            ZeroShotReport.Class(
                label: labels[$0], rows: totals[$0],
                top1: totals[$0] > 0 ? Double(right[$0]) / Double(totals[$0]) : 0)
        }
        let present = own.filter { $0.rows > 0 }
        let most = pairs.sorted { ($1.value, $0.key.x, $0.key.y) < ($0.value, $1.key.x, $1.key.y) }.prefix(10)
        let all = Double(truths.count)
        return ZeroShotReport(
            top1: Double(place.count { $0 == 0 }) / all, top5: Double(place.count { $0 < 5 }) / all,
            meanClassTop1: present.reduce(0) { $0 + $1.top1 } / Double(max(present.count, 1)), rows: truths.count,
            classes: own,
            confusions: most.map {
                ZeroShotReport.Confusion(
                    label: labels[Int($0.key.x)], takenFor: labels[Int($0.key.y)], rows: $0.value)
            })
    }
}
