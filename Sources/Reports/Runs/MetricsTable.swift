// metrics.jsonl as columns of numbers, however the file has come to be. Not here: writing it (Training), what the numbers mean.

public import Foundation

/// The numbers of a run by step and name.
///
/// Names of nested objects are joined by a dot: `seconds.forward`. Rows of one step are one row here, the later value of a name
/// counting. A row of an earlier step than the one before begins a repetition: a run was resumed from there, and what had been written
/// from that step on is dropped.
public struct MetricsTable: Sendable {
    /// One step.
    public struct Row: Sendable, Equatable {
        public var step: Int
        public var values: [String: Double]
    }

    public private(set) var rows: [Row] = []
    /// What was wrong with the file, in sentences.
    public private(set) var remarks: [String] = []

    /// Names of all numbers, sorted.
    public var names: [String] { Set(rows.flatMap { $0.values.keys }).sorted() }

    /// The steps at which a number is known, with it.
    public func curve(_ name: String) -> [(step: Int, value: Double)] {
        rows.compactMap { row in row.values[name].map { (row.step, $0) } }
    }

    /// A number of the batch at the steps whose batches have all their rows: loss and effective rank of a short one, at the end of an
    /// epoch, are not comparable with theirs. At all steps where the number of rows is not known, or most are short.
    public func fullBatchCurve(_ name: String) -> [(step: Int, value: Double)] {
        let known = rows.filter { $0.values[name] != nil }
        let most = known.compactMap { $0.values["rows"] }.max() ?? 0
        let full = known.filter { ($0.values["rows"] ?? most) >= most }
        return (2 * full.count >= known.count ? full : known).map { ($0.step, $0.values[name] ?? .nan) }
    }

    public func last(_ name: String) -> Double? { rows.last { $0.values[name] != nil }?.values[name] }

    /// - Parameter data: lines of JSON; those that are none are left out and counted.
    public init(_ data: Data) {
        var (damaged, repeated) = (0, 0)
        var first: Int?
        let lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let endsHalf = data.last.map { $0 != UInt8(ascii: "\n") } ?? false
        var isHalf = false
        for (number, line) in lines.enumerated() {
            guard line.contains(where: { $0 != 0x20 && $0 != 0x0D && $0 != 0x09 }) else { continue }
            guard let row = Self.row(line) else {
                if number == lines.count - 1, endsHalf {
                    isHalf = true
                } else {
                    damaged += 1
                    first = first ?? number + 1
                }
                continue
            }
            repeated += add(row)
        }
        if isHalf {
            remarks.append("The last line of the metrics is not whole: the run is still writing, or was killed.")
        }
        if let first {
            remarks.append(
                "\(damaged) line\(damaged == 1 ? "" : "s") of the metrics cannot be read and \(damaged == 1 ? "is" : "are") left out; the first is line \(first)."
            )
        }
        if repeated > 0 {
            remarks.append(
                "\(repeated) row\(repeated == 1 ? "" : "s") of the metrics \(repeated == 1 ? "was" : "were") written twice, by a run that resumed: the later ones are shown."
            )
        }
    }

    /// Takes a row in; returns how many rows it replaces.
    private mutating func add(_ row: Row) -> Int {
        guard let last = rows.last, last.step >= row.step else {
            rows.append(row)
            return 0
        }
        if last.step == row.step {
            rows[rows.count - 1].values.merge(row.values) { $1 }
            return 0
        }
        // From the end: what is dropped is looked at once, however often a file goes back.
        let kept = (rows.lastIndex { $0.step < row.step } ?? -1) + 1
        let dropped = rows.count - kept
        rows.removeSubrange(kept...)
        rows.append(row)
        return dropped
    }

    private static let decoder = JSONDecoder()

    private static func row(_ line: Data) -> Row? {
        var fields = try? decoder.decode([String: Field].self, from: line)
        if fields == nil {
            // Some writers put down numbers that JSON has not.
            let text = String(decoding: line, as: UTF8.self)
            let known = text.replacing(/:\s*(-?Infinity|NaN|nan|-?inf)\b/, with: ": null")
            fields = try? decoder.decode([String: Field].self, from: Data(known.utf8))
        }
        guard let fields, case .number(let step) = fields["step"], let whole = Int(exactly: step), whole >= 0 else {
            return nil
        }
        var values: [String: Double] = [:]
        flatten(fields, "", into: &values)
        values["step"] = nil
        // Rows of evaluations time no step.
        let times = values.filter { $0.key.hasPrefix("seconds.") }
        if times.allSatisfy({ $0.value == 0 }) { for key in times.keys { values[key] = nil } }
        return Row(step: whole, values: values)
    }

    private static func flatten(_ fields: [String: Field], _ prefix: String, into values: inout [String: Double]) {
        for (key, value) in fields {
            switch value {
            case .object(let inner): flatten(inner, prefix + key + ".", into: &values)
            case .number(let number) where number.isFinite: values[prefix + key] = number
            case .number, .other: break
            }
        }
    }

    /// A value of a row.
    private enum Field: Decodable {
        case number(Double)
        case object([String: Field])
        /// Nothing to draw.
        case other

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Double.self) {
                self = .number(number)
            } else if let object = try? container.decode([String: Field].self) {
                self = .object(object)
            } else {
                self = .other
            }
        }
    }
}
