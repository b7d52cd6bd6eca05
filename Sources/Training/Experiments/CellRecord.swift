// What is kept of a finished cell, and how it is taken from a run's files. Not here: statistics over cells (ExperimentStatistics).

import Failures
import Foundation

/// `cell.json` in the folder of a finished run: it is not repeated as long as its configuration is what is asked for.
struct CellRecord: Codable {
    /// The run's, complete, as YAML. Keys that the program has learned since have their defaults.
    var configuration: String
    var ranks: Int
    var values: [String: Double]
    var seconds: Double
    /// Why the run ended without values.
    var failure: String?

    static func path(_ folder: RunFolder) -> String { "\(folder.path)/cell.json" }

    /// The record of a cell that is done; nil when there is none, or one of another configuration.
    static func read(_ cell: ExperimentPlan.Cell) -> CellRecord? {
        guard let data = FileManager.default.contents(atPath: path(cell.folder)),
            let record = try? JSONDecoder().decode(CellRecord.self, from: data),
            let configuration = try? RunConfig.parse(record.configuration, file: path(cell.folder)),
            cell.isEqual(to: configuration, ranks: record.ranks)
        else { return nil }
        return record
    }

    func write(to folder: RunFolder) throws { try RunFolder.write(JSONEncoder().encode(self), to: Self.path(folder)) }
}

extension CellRecord {
    /// The values of a run: everything of its last evaluation by its key; and of what steps tell (`loss`, `noise_to_signal`,
    /// `query.effective_rank`, …) the mean over the run by its key, and over the first and last tenth of the rows as `early.` and `late.`.
    /// Numbers that are not finite are left out.
    static func values(of folder: RunFolder) throws -> [String: Double] {
        guard let text = FileManager.default.contents(atPath: folder.metrics) else {
            throw Failure(.inputMissing, "\(folder.metrics) cannot be read")
        }
        var (steps, evaluation): ([[String: Double]], [String: Double]) = ([], [:])
        for line in text.split(separator: UInt8(ascii: "\n")) {
            guard let row = try? JSONSerialization.jsonObject(with: line) as? [String: Any] else { continue }
            let numbers = row.compactMapValues { ($0 as? NSNumber)?.doubleValue }
            if numbers["loss"] != nil || numbers["gradient_norm"] != nil {
                steps.append(numbers)
            } else {
                evaluation = numbers
            }
        }
        var values: [String: Double] = [:]
        let tenth = max(1, steps.count / 10)
        for (prefix, rows) in [("", steps[...]), ("early.", steps.prefix(tenth)), ("late.", steps.suffix(tenth))] {
            for key in Set(rows.flatMap(\.keys)) where key != "step" {
                let numbers = rows.compactMap { $0[key] }
                values[prefix + key] = numbers.reduce(0, +) / Double(numbers.count)
            }
        }
        for (key, value) in evaluation where key != "step" { values[key] = value }
        return values.filter(\.value.isFinite)
    }

    /// What a measure is of every row of a test set, where the run has kept the places; nil for other measures.
    static func rows(of folder: RunFolder, measure: String) throws -> [Double]? {
        let parts = measure.split(separator: ".").map(String.init)
        guard parts.count >= 3 else { return nil }
        let (set, direction) = (parts.dropLast(2).joined(separator: "."), parts[parts.count - 2])
        let value: (Int64) -> Double
        switch parts[parts.count - 1] {
        case "precision_at_1": value = { $0 == 1 ? 1 : 0 }
        case "recall_at_5": value = { $0 <= 5 ? 1 : 0 }
        case "mrr": value = { 1 / Double($0) }
        default: return nil
        }
        // Queries without a relevant item are no part of the measure.
        return try folder.readPlaces(set, direction).map { $0.filter { $0 > 0 }.map(value) }
    }
}
