// The runs that an experiment consists of. Not here: running them (ExperimentRunner).

import Failures
import Foundation

/// Arms and cells of an experiment, every configuration read and checked before the first run starts.
struct ExperimentPlan: Sendable {
    struct Arm: Sendable {
        let name: String
        let settings: ExperimentConfig.Settings
        /// Place of the arm that it is compared with.
        var baseline: Int?
    }

    struct Cell: Sendable {
        /// Place in `arms`.
        let arm: Int
        let seed: UInt64
        let ranks: Int
        let configuration: RunConfig

        var folder: RunFolder { RunFolder(configuration.folder) }

        /// Whether a run of another configuration has this cell's values: it differs only in where and how fast.
        func isEqual(to other: RunConfig, ranks: Int) -> Bool {
            var other = other
            (other.output, other.threads) = (configuration.output, configuration.threads)
            return other == configuration && ranks == self.ranks
        }
    }

    let arms: [Arm]
    let cells: [Cell]

    /// - Parameter folder: of the experiment; the runs' folders are in `cells/` of it.
    /// - Throws: `Failure(.configuration)` naming the arm whose settings are wrong, or arms that are not different.
    init(_ config: ExperimentConfig, folder: String, ranks: Int? = nil) throws {
        let named = config.arms.items.map { Arm(name: $0.name, settings: $0.settings) }
        let combined = config.grid.combinations.map { settings in
            Arm(
                name: settings.items.map { "\($0.key.split(separator: ".").last ?? "") \($0.value)" }.joined(
                    separator: ", "), settings: settings)
        }
        arms = try Self.compared(named + combined, config)
        guard let base = config.base else { preconditionFailure("an experiment of runs without a base") }
        var cells: [Cell] = []
        var folders: [String: String] = [:]
        for seed in config.seeds.values {
            for (index, arm) in arms.enumerated() {
                let name = "\(Self.folderName(arm.name))-\(seed)"
                if let other = folders.updateValue(arm.name, forKey: name) {
                    throw Failure(
                        .configuration,
                        "the arms '\(other)' and '\(arm.name)' would share the folder \(name); rename one")
                }
                cells.append(
                    try Self.cell(
                        config, base: base, arm: arm, index: index, seed: seed, name: name, folder: folder, ranks: ranks
                    ))
            }
        }
        self.cells = cells
    }

    /// The arms with their baselines.
    private static func compared(_ arms: [Arm], _ config: ExperimentConfig) throws -> [Arm] {
        guard let name = config.baseline else { return arms }
        guard let baseline = arms.first(where: { $0.name == name }) else {
            throw Failure(
                .configuration,
                "baseline is '\(name)', but the arms are \(arms.map { "'\($0.name)'" }.joined(separator: ", "))")
        }
        let fixed = config.within.names
        func values(_ arm: Arm) -> [String: String] {
            Dictionary(arm.settings.items.map { ($0.key, $0.value) }) { $1 }
        }
        return arms.enumerated().map { index, arm in
            var wanted = values(baseline)
            for key in fixed { wanted[key] = arm.settings(key) }
            var arm = arm
            let found = arms.firstIndex { values($0) == wanted }
            arm.baseline = found == index ? nil : found
            return arm
        }
    }

    private static func cell(
        _ config: ExperimentConfig, base: String, arm: Arm, index: Int, seed: UInt64, name: String, folder: String,
        ranks: Int?
    ) throws -> Cell {
        let settings = config.set.items + arm.settings.items
        var count = ranks ?? config.ranks
        if let own = arm.settings("ranks") {
            guard let number = Int(own), (1...64).contains(number) else {
                throw Failure(.configuration, "arm '\(arm.name)': ranks is \(own), expected integer from 1 to 64")
            }
            count = number
        }
        let reserved = ["name", "output", "seed"]
        if let wrong = settings.first(where: { reserved.contains($0.key) }) {
            throw Failure(
                .configuration, "arm '\(arm.name)' sets \(wrong.key), which the experiment decides; remove it")
        }
        // A value of a key in dotted form is laid over what the file says, as on the command line.
        let options =
            settings.filter { $0.key != "ranks" }.map { "\($0.key)=\($0.value)" } + [
                "name=\(name)", "seed=\(seed)", "evaluate.places=true",
            ]
        do {
            var configuration = try RunConfig.load(base, options: options)
            configuration.output = folder + "/cells"
            return Cell(arm: index, seed: seed, ranks: count, configuration: configuration)
        } catch let failure as Failure {
            throw Failure(failure.kind, "arm '\(arm.name)': \(failure.message)")
        }
    }

    /// Letters, digits, dots; anything else is a hyphen.
    private static func folderName(_ name: String) -> String {
        let kept = name.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == ".") ? $0 : "-" }
        let text = String(kept).split(separator: "-").joined(separator: "-")
        return text.first == "." ? "arm" + text : text.isEmpty ? "arm" : text
    }
}
