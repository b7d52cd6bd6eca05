// `fanoise doctor --predict`: options and table. Not here: the cost model (Training/Machine/CostModel).

import ArgumentParser
import Foundation
import Kernels
import Training

/// What is to be predicted, and for which machines.
struct PredictionOptions: ParsableArguments, Sendable {
    @Option(help: "Predict the steps of this configuration, YAML.") var predict: String?
    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: "Override a key of the configuration to be predicted: a.b=value. Repeatable.")
    var overrides: [String] = []
    @Option(help: "Numbers of ranks to predict, with commas between them.") var ranks = "1,2,4,8"
    @Option(help: "Ranks of a node (default: one for each core of this machine).") var ranksPerNode: Int?
    @Option(
        help: "Cores of a node (default: those of this machine); its memory is taken to be as much faster or slower.")
    var coresPerNode: Int?
    @Option(help: "Gbit/s of each node's link, each way (default: as measured between nodes, else 10).") var network:
        Double?
    @Option(help: "Microseconds that a message between nodes costs a rank (default: as measured, else 10).")
    var message: Double?

    private var worldSizes: [Int] {
        ranks.split(separator: ",", omittingEmptySubsequences: false).compactMap { Int($0) }
    }

    func validate() throws {
        let sizes = worldSizes
        guard sizes.count == ranks.count(where: { $0 == "," }) + 1, sizes.allSatisfy({ (1...1_000_000).contains($0) })
        else {
            throw ValidationError("--ranks \(ranks): expected numbers of ranks such as 1,2,4,8")
        }
        guard [ranksPerNode, coresPerNode].allSatisfy({ (1...1_000_000).contains($0 ?? 1) }), network ?? 1 > 0,
            message ?? 0 >= 0, [network, message].allSatisfy({ $0?.isFinite != false })
        else {
            throw ValidationError(
                "--ranks-per-node and --cores-per-node must be from 1 to 1000000, --network above 0, --message not below, both finite"
            )
        }
    }

    func configuration() throws -> RunConfig? { try predict.map { try RunConfig.load($0, options: overrides) } }

    /// Measures ranks' shares and evaluates the model. Local.
    func predict(
        _ configuration: RunConfig, speed: MachineSpeed, collectives: CollectiveSpeed?
    ) throws -> Prediction {
        let cores = coresPerNode ?? speed.threads
        let local = ranksPerNode ?? cores
        let part = Double(cores) / Double(speed.threads)
        setBLASThreads(configuration.threads.resolved(max(1, cores / local)))
        let between = collectives.flatMap { $0.nodes.count > 1 ? $0 : nil }
        let measured = between.map { speed in
            let away = Double(speed.nodes.count - 1) / Double(speed.nodes.count)
            return (bandwidth: speed.gradientBandwidth * 1e9 * away, message: speed.latency / Double(speed.ranks - 1))
        }
        let fabric = Fabric(
            cores: cores, rankRate: speed.gemmOneCore * 1e9, nodeRate: speed.gemmAllCores * 1e9 * part,
            memoryBandwidth: speed.triadAllCores * 1e9 * part,
            networkBandwidth: network.map { $0 * 1e9 / 8 } ?? measured?.bandwidth ?? 1.25e9,
            messageSeconds: message.map { $0 * 1e-6 } ?? measured?.message ?? 1e-5)
        let model = CostModel(
            fabric: fabric,
            workload: try Workload(measuring: configuration, worldSizes: worldSizes) {
                fabric.busyRanks($0, local: local, ofCores: speed.threads)
            })
        return Prediction(
            fabric: fabric, workload: model.workload,
            steps: worldSizes.map { model.step(ranks: $0, ranksPerNode: local) })
    }
}

/// Steps as the cost model sees them.
struct Prediction: Encodable {
    let fabric: Fabric
    let workload: Workload
    let steps: [StepCost]

    var table: String {
        let titles = [
            "ranks", "nodes", "towers", "loss", "spectrum", "memory", "gradients", "not hidden", "parameters",
            "embeddings",
            "messages", "step", "samples/s", "efficiency",
        ]
        func milliseconds(_ seconds: Double) -> String { String(format: "%.1f", seconds * 1e3) }
        let rate = { (step: StepCost) in Double(workload.globalRows) / step.total }
        let first = steps.first.map { rate($0) / Double($0.ranks) } ?? 1
        let rows = steps.map { step in
            ["\(step.ranks)", "\(step.nodes)"]
                + [
                    step.towers, step.loss, step.spectrum, step.memory, step.gradients, step.exposedGradients,
                    step.parameters, step.embeddings, step.messages, step.total,
                ].map(milliseconds)
                + [
                    String(format: "%.0f", rate(step)),
                    String(format: "%.0f %%", 100 * rate(step) / Double(step.ranks) / first),
                ]
        }
        let widths = titles.indices.map { column in ([titles] + rows).map { $0[column].count }.max() ?? 0 }
        let lines = ([titles] + rows).map { row in
            zip(row, widths).map { String(repeating: " ", count: $1 - $0.count) + $0 }.joined(separator: "  ")
        }
        let idle = steps.filter { workload.idleRanks(of: $0.ranks) > 0 }.map { step in
            "\(step.ranks) ranks are more than the \(workload.globalRows) rows of the global batch; those without a row "
                + "(\(workload.idleRanks(of: step.ranks))) only wait; raise batch.global or take fewer"
        }
        return (["predicted steps, milliseconds:"] + lines + idle).joined(separator: "\n")
    }
}
