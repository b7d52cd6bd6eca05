// Where a run keeps its files. Not here: their contents.

import Failures
import Foundation

/// `runs/NAME/`.
public struct RunFolder: Sendable {
    public let path: String

    public init(_ path: String) { self.path = path }

    public var configuration: String { "\(path)/config.yaml" }
    public var metrics: String { "\(path)/metrics.jsonl" }
    public var checkpoints: String { "\(path)/checkpoints" }
    public var contactSheet: String { "\(path)/retrieved.png" }
    public var evaluation: String { "\(path)/evaluation.json" }

    /// Makes the folder and those above it.
    public func create() throws {
        do {
            try FileManager.default.createDirectory(atPath: checkpoints, withIntermediateDirectories: true)
        } catch {
            throw Failure(
                .cannotCreate,
                "the run's folder \(path) cannot be created: \(error.localizedDescription); choose another with --set output=DIR"
            )
        }
    }

    /// Whether an earlier run has left checkpoints here.
    public var hasCheckpoints: Bool {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: checkpoints)) ?? []
        return names.contains { $0.hasPrefix("step-") }
    }

    /// Writes a small file whole or not at all.
    static func write(_ data: Data, to path: String) throws {
        do {
            try data.write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw Failure(
                .inputOutput,
                "\(path) cannot be written: \(error.localizedDescription); free some space or choose another folder")
        }
    }
}
