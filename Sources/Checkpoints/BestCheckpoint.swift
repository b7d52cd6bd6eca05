// Which checkpoint did best. Not here: how it is judged (the trainer), what else is kept (CheckpointStore.swift).

import Failures
import Foundation

/// The content of `best.json` beside the checkpoints: the step that did best, which is kept beyond the newest ones.
public struct BestCheckpoint: Codable, Equatable, Sendable {
    public var step: Int
    /// What was compared: `unseen.query_to_target.precision_at_1`.
    public var measure: String
    public var value: Double

    /// The file's name in the folder of checkpoints.
    public static let file = "best.json"

    public init(step: Int, measure: String, value: Double) {
        self.step = step
        self.measure = measure
        self.value = value
    }

    /// The checkpoint's folder that a path means: `FOLDER/best`, where nothing has that name, is the step that `FOLDER/best.json` names;
    /// any other path is itself.
    /// - Throws: `Failure(.inputMissing)` when there is no `best.json`, `Failure(.data)` when it is none.
    public static func resolve(_ path: String) throws -> String {
        let url = URL(fileURLWithPath: path)
        guard url.lastPathComponent == "best", !FileManager.default.fileExists(atPath: path) else { return path }
        let folder = (path as NSString).deletingLastPathComponent
        let place = folder.isEmpty ? file : "\(folder)/\(file)"
        guard let data = FileManager.default.contents(atPath: place) else {
            throw Failure(
                .inputMissing,
                "\(path): \(place), which names the step that did best, is not there: no evaluation has decided yet, or checkpoint.best "
                    + "names no set. Give a step's folder, or --run for the newest")
        }
        guard let best = try? JSONDecoder().decode(BestCheckpoint.self, from: data), best.step >= 0 else {
            throw Failure(.data, "\(place): expected the keys step, measure and value; give a step's folder instead")
        }
        let name = StepDirectory(step: best.step).name
        return folder.isEmpty ? name : "\(folder)/\(name)"
    }

    func encoded() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return try encoder.encode(self)
    }
}
