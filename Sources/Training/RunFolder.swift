// Where a run keeps its files. Not here: their contents.

import Failures
import Foundation

/// `runs/NAME/`.
public struct RunFolder: Sendable {
    public let path: String

    /// - Parameter path: with or without a slash at its end.
    public init(_ path: String) {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        self.path = path
    }

    public var configuration: String { "\(path)/config.yaml" }
    public var metrics: String { "\(path)/metrics.jsonl" }
    /// A line for each side of a step (`SpectrumRecord`).
    public var spectra: String { "\(path)/spectra.jsonl" }
    /// What the latest evaluation found (`RetrievedExamples`).
    public var examples: String { "\(path)/examples.json" }
    public var checkpoints: String { "\(path)/checkpoints" }

    /// Makes the folder and those above it.
    public func create() throws {
        do {
            try FileManager.default.createDirectory(atPath: checkpoints, withIntermediateDirectories: true)
        } catch {
            throw Failure(
                .cannotCreate,
                "the run's folder \(path) cannot be created: a part of the path is a file, or the place is not writable; choose another with "
                    + "--set output=DIR")
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

    /// Keeps a second process from training in this folder for as long as the result lives.
    /// - Throws: `Failure(.cannotCreate)` when another one does.
    func lock() throws -> RunLock { try RunLock(path: "\(path)/.lock", folder: path) }

    /// The same of a folder that is there already; nil where it is not.
    func lockIfPresent() throws -> RunLock? {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory.boolValue else {
            return nil
        }
        try create()
        return try lock()
    }
}

/// A held lock of a run's folder; the system lets go of it with the process, however that ends.
final class RunLock {
    private let descriptor: Int32
    private let path: String
    private let folder: String

    init(path: String, folder: String) throws {
        (self.path, self.folder) = (path, folder)
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw Failure(.cannotCreate, "\(path) cannot be created: \(String(cString: strerror(errno)))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
            close(descriptor)
            throw Failure(
                .cannotCreate,
                "another process is training in \(folder); wait for it, end it, or choose another name with --set name=NAME"
            )
        }
    }

    /// Whether the folder is still the one that was locked. Another run may have begun under its name.
    /// - Throws: `Failure(.inputOutput)` when it was removed, renamed or replaced.
    func requireFolder() throws {
        var (held, found) = (stat(), stat())
        let isThere =
            fstat(descriptor, &held) == 0 && stat(path, &found) == 0 && held.st_dev == found.st_dev
            && held.st_ino == found.st_ino
        guard isThere else {
            throw Failure(
                .inputOutput,
                "the run's folder \(folder) was removed, renamed or replaced while training went on; nothing more is written there. What was "
                    + "saved is where it went: name it by --set name=NAME to go on there")
        }
    }

    deinit { close(descriptor) }
}
