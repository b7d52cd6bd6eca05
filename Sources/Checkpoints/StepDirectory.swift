// The directories of a checkpoint folder and their durable making, renaming and removal. Not here: what they hold (Manifest.swift).

import ArrayFiles
import Failures
import Foundation

/// `step-00001000`, a checkpoint; or `step-00001000.replaced`, the one that a second save of the same step moved aside.
struct StepDirectory: Equatable {
    var name: String
    var step: Int
    var isReplaced = false

    /// The directory of a step: its number in eight digits or more.
    init(step: Int) {
        name = String(format: "step-%08ld", step)
        self.step = step
    }

    /// Nil for any other name: `.partial` directories above all.
    init?(name: String) {
        let stem = name.hasSuffix(".replaced") ? String(name.dropLast(9)) : name
        let digits = stem.dropFirst(5)
        guard stem.hasPrefix("step-"), digits.count >= 8, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            let step = Int(digits)
        else { return nil }
        self.name = name
        self.step = step
        isReplaced = stem != name
    }

    /// Newest first; of one step, the replacement before what it replaced. Empty when the folder does not exist.
    static func list(in folder: String) throws -> [StepDirectory] {
        try names(in: folder).compactMap { StepDirectory(name: $0) }.sorted { ($0.step, $1.name) > ($1.step, $0.name) }
    }

    /// Removes what interrupted saves and removals left: `.partial` directories, and replaced ones whose replacement is there.
    static func removeRemains(in folder: String) throws {
        let names = try names(in: folder)
        for name in names where name.hasPrefix("step-") {
            let replaced =
                StepDirectory(name: name).map { $0.isReplaced && names.contains(StepDirectory(step: $0.step).name) }
                ?? false
            if replaced || name.hasSuffix(".partial") { try remove("\(folder)/\(name)") }
        }
    }

    private static func names(in folder: String) throws -> [String] {
        guard FileManager.default.fileExists(atPath: folder) else { return [] }
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder)
        } catch {
            throw Failure(.inputMissing, "\(folder): cannot be listed: \(error.localizedDescription)")
        }
    }

    // MARK: - Changing directories

    /// Makes a directory and those above it; each new name is durable. - Throws: `Failure(.cannotCreate)`.
    static func make(_ path: String) throws {
        let parent = (path as NSString).deletingLastPathComponent
        var code = mkdir(path, 0o777) == 0 ? 0 : errno
        if code == ENOENT, !parent.isEmpty, parent != path {
            try make(parent)
            code = mkdir(path, 0o777) == 0 ? 0 : errno
        }
        if code == 0 { return try syncDirectory(parent) }
        var isDirectory: ObjCBool = false
        if code == EEXIST, FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory),
            isDirectory.boolValue
        {
            return
        }
        throw Failure(
            .cannotCreate,
            "\(path): cannot be made a directory: \(systemMessage(code)); "
                + (code == ENOSPC || code == EDQUOT ? systemAdvice(code) : "check that the path is right and writable"))
    }

    /// Makes a checkpoint's files also those of a new directory, durably: the same files where the file system can, else copies.
    static func copy(_ source: String, to destination: String) throws {
        let files = try Manifest(directory: source).files.map(\.name) + [Manifest.name]
        try make(destination)
        for name in files {
            let (old, new) = ("\(source)/\(name)", "\(destination)/\(name)")
            if link(old, new) == 0 { continue }
            let (input, output) = (try InputFile(path: old), try OutputFile(path: new))
            for start in stride(from: 0, to: input.byteCount, by: 1 << 22) {
                let part = try input.bytes(at: start, count: min(1 << 22, input.byteCount - start))
                try part.withUnsafeBytes { try output.write($0) }
            }
            try output.commit()
        }
        try syncDirectory(destination)
    }

    /// Renames within one folder, durably. - Throws: `Failure(.inputOutput)`.
    static func move(_ source: String, to destination: String) throws {
        guard rename(source, destination) == 0 else {
            throw Failure(
                .inputOutput, "\(source): cannot be renamed to \(destination): \(systemMessage()); \(systemAdvice())")
        }
        try syncDirectory((destination as NSString).deletingLastPathComponent)
    }

    /// Removes a directory and all in it. An interruption leaves a `.partial`, never half a checkpoint under its own name.
    static func remove(_ path: String) throws {
        var doomed = path
        if !path.hasSuffix(".partial") {
            doomed = path + ".partial"
            try? FileManager.default.removeItem(atPath: doomed)
            try move(path, to: doomed)
        }
        do {
            try FileManager.default.removeItem(atPath: doomed)
        } catch {
            throw Failure(.inputOutput, "\(doomed): cannot be removed: \(error.localizedDescription)")
        }
    }

    /// Bytes that an unprivileged process may still write to the file system of `path`; nil when it does not say.
    static func freeBytes(at path: String) -> Int? {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return nil }
        let (bytes, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return overflow ? .max : Int(clamping: bytes)
    }
}
