// The place of every query's target, kept for statistics over rows. Not here: what is computed from them (Experiments).

import ArrayFiles
import Failures
import Foundation

extension RunFolder {
    /// Directions of an evaluation, as files and measures name them.
    static let directions = ["query_to_target", "target_to_query"]

    /// int64 places of one set and direction, in the order of its queries.
    func places(_ set: String, _ direction: String) -> String { "\(path)/places/\(set).\(direction).npy" }

    /// Keeps the places that reports have; those of an earlier evaluation are replaced.
    func writePlaces(_ reports: [(name: String, report: EvaluationReport)]) throws {
        for (name, report) in reports {
            for (direction, metrics) in zip(Self.directions, [report.queryToTarget, report.targetToQuery]) {
                guard let places = metrics.places else { continue }
                let file = self.places(name, direction)
                let folder = (file as NSString).deletingLastPathComponent
                do {
                    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                } catch {
                    throw Failure(.cannotCreate, "\(folder) cannot be created: \(error.localizedDescription)")
                }
                try NPYArray.write(path: file, shape: [places.count], integers: places)
            }
        }
    }

    /// The places of one set and direction; nil when they were not kept.
    func readPlaces(_ set: String, _ direction: String) throws -> [Int64]? {
        let file = places(set, direction)
        guard FileManager.default.fileExists(atPath: file) else { return nil }
        return try NPYArray.readIntegers(path: file).values
    }
}
