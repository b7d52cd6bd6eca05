// What a run's folder holds for a reader. Not here: who writes it (Training), what is made of it (RunPage.swift).

import Failures
import Foundation
import Yams

/// A run as its files tell it; whatever is missing or damaged is left out, and said in `remarks`.
public struct RunRecord: Sendable {
    /// The folder's path.
    public var path: String
    /// What the run is called on the page.
    public var name: String
    /// Keys of the resolved configuration with their values as text, in the file's order.
    public var settings: [(key: String, value: String)]
    public var metrics: MetricsTable
    public var spectra: [SpectrumRecord]
    public var examples: RetrievedExamples?
    /// Steps of the checkpoints that are there.
    public var checkpoints: [Int]
    /// Whether the run says that all is done.
    public var isDone: Bool
    public var remarks: [String]

    /// A setting as text.
    public func setting(_ key: String) -> String? { settings.first { $0.key == key }?.value }

    /// - Throws: `Failure(.inputMissing)` when there is no such folder, `Failure(.data)` when it holds nothing of a run.
    public static func read(_ path: String) throws -> RunRecord {
        let files = FileManager.default
        var isFolder: ObjCBool = false
        guard files.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw Failure(.inputMissing, "\(path): there is no such folder; give the folder of a run, OUTPUT/NAME")
        }
        guard isFolder.boolValue else {
            throw Failure(.data, "\(path) is a file; give the folder of a run, OUTPUT/NAME")
        }
        let contents = { (name: String) in files.contents(atPath: "\(path)/\(name)") }
        let (configuration, metrics) = (contents("config.yaml"), contents("metrics.jsonl"))
        guard configuration != nil || metrics != nil else {
            throw Failure(.data, "\(path) holds neither config.yaml nor metrics.jsonl: it is no run's folder")
        }
        var remarks: [String] = []
        var settings: [(key: String, value: String)] = []
        if let configuration {
            settings = Self.settings(configuration)
            if settings.isEmpty { remarks.append("config.yaml cannot be read.") }
        } else {
            remarks.append("config.yaml is not there: settings are unknown.")
        }
        if metrics == nil { remarks.append("metrics.jsonl is not there: there are no curves.") }
        let table = MetricsTable(metrics ?? Data())
        if metrics != nil, table.rows.isEmpty { remarks.append("metrics.jsonl has no rows yet.") }
        remarks += table.remarks
        let steps = (try? files.contentsOfDirectory(atPath: "\(path)/checkpoints")) ?? []
        let name = settings.first { $0.key == "name" }?.value
        return RunRecord(
            path: path, name: name ?? URL(fileURLWithPath: path).standardizedFileURL.lastPathComponent,
            settings: settings,
            metrics: table, spectra: SpectrumRecord.read(contents("spectra.jsonl") ?? Data()),
            examples: contents("examples.json").flatMap { try? JSONDecoder().decode(RetrievedExamples.self, from: $0) },
            checkpoints: steps.compactMap { $0.wholeMatch(of: /step-(\d+)/).flatMap { Int($0.1) } }.sorted(),
            isDone: files.fileExists(atPath: "\(path)/done.json"), remarks: remarks)
    }

    /// Bytes that a configuration may have: four times what training takes.
    private static let maximumConfigurationBytes = 1 << 20

    /// The leaves of a mapping, `a.b` with their values; none when the text is no mapping.
    ///
    /// Training writes no aliases, and a few lines of them expand without end: every asterisk is another character while the text is
    /// read, so that an alias is a text like others.
    static func settings(_ data: Data) -> [(key: String, value: String)] {
        let (asterisk, marker): (Character, Character) = ("*", "\u{E000}")
        guard data.count <= maximumConfigurationBytes else { return [] }
        let yaml = String(String(decoding: data, as: UTF8.self).map { $0 == asterisk ? marker : $0 })
        guard let node = try? Yams.compose(yaml: yaml), node.mapping != nil else { return [] }
        var result: [(key: String, value: String)] = []
        func walk(_ node: Node, _ prefix: String) {
            guard let mapping = node.mapping, !mapping.isEmpty else {
                result.append((prefix, text(node)))
                return
            }
            for (key, value) in mapping { walk(value, prefix.isEmpty ? text(key) : "\(prefix).\(text(key))") }
        }
        func text(_ node: Node) -> String {
            if let scalar = node.scalar { return String(scalar.string.map { $0 == marker ? asterisk : $0 }) }
            if let sequence = node.sequence { return "[" + sequence.map(text).joined(separator: ", ") + "]" }
            return "{}"
        }
        walk(node, "")
        return result
    }
}

extension [RunRecord] {
    /// Names that tell the runs apart: their own where they differ, else with what sets them apart.
    mutating func distinguishNames() {
        let counts = Dictionary(map { ($0.name, 1) }, uniquingKeysWith: +)
        for index in indices where counts[self[index].name, default: 0] > 1 { self[index].name = self[index].path }
        var seen: [String: Int] = [:]
        for index in indices {
            seen[self[index].name, default: 0] += 1
            if let again = seen[self[index].name], again > 1 { self[index].name += " (\(again))" }
        }
    }

    /// Settings in which the runs differ, with the value of each run.
    var differences: [(key: String, values: [String])] {
        var keys: [String] = []
        var known: Set<String> = []
        for run in self {
            for setting in run.settings where known.insert(setting.key).inserted { keys.append(setting.key) }
        }
        let tables = map { Dictionary($0.settings.map { ($0.key, $0.value) }) { $1 } }
        return keys.compactMap { key in
            let values = tables.map { $0[key] ?? "–" }
            return key != "name" && Set(values).count > 1 ? (key, values) : nil
        }
    }
}
