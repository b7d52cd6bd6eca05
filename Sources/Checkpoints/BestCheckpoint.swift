// Which checkpoint did best. Not here: how it is judged (the trainer), what else is kept (CheckpointStore.swift).

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

    func encoded() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return try encoder.encode(self)
    }
}
