// What a step costs, as a function of ranks, nodes, batch and model: docs/scaling.md in Swift. Not here: how the constants are measured
// (WorkloadMeasurement.swift, MachineSpeed.swift).

/// A machine and its network, as the cost model sees them. Speeds are those of one node with all its cores at work.
public struct Fabric: Sendable, Equatable, Encodable {
    /// Cores of a node.
    public var cores: Int
    /// Operations a second of one rank's products when it works alone, and of all cores of a node together.
    public var rankRate: Double
    public var nodeRate: Double
    /// Bytes a second of a node's memory.
    public var memoryBandwidth: Double
    /// Bytes a second of a node's link, each way.
    public var networkBandwidth: Double
    /// Seconds that a rank spends on one message between nodes.
    public var messageSeconds: Double
    /// Share of a node's link that fills while its ranks compute.
    public var progress = 0.7

    public init(
        cores: Int, rankRate: Double, nodeRate: Double, memoryBandwidth: Double, networkBandwidth: Double,
        messageSeconds: Double
    ) {
        (self.cores, self.rankRate, self.nodeRate) = (cores, rankRate, nodeRate)
        (self.memoryBandwidth, self.networkBandwidth) = (memoryBandwidth, networkBandwidth)
        self.messageSeconds = messageSeconds
    }

    /// How many ranks of `ranks` on a node share a core, if any do.
    func turns(ranks: Int) -> Double { max(1, Double(ranks) / Double(cores)) }

    /// Ranks that compute at a time on a machine of so many cores when it is as busy as a node with `local` of all `ranks` is; no more than
    /// there are.
    public func busyRanks(_ ranks: Int, local: Int, ofCores machine: Int) -> Int {
        let busy = Double(min(ranks, local, cores) * machine) / Double(cores)
        return max(1, min(ranks, Int(busy.rounded())))
    }

    /// How much longer a rank's products take than alone when `ranks` of a node compute: cores slow each other down, and take turns.
    func slowdown(ranks: Int) -> Double {
        let busy = Double(min(ranks, cores))
        // Between one rank and all cores the rate is taken to fall evenly.
        let full = Double(cores) * rankRate / max(nodeRate, 1)
        let shared = 1 + max(0, full - 1) * (cores == 1 ? 1 : (busy - 1) / Double(cores - 1))
        return shared * turns(ranks: ranks)
    }
}

/// What there is to do in a step, and what of it was measured.
public struct Workload: Sendable, Equatable, Encodable {
    /// P: trained parameters.
    public var parameters: Int
    /// N: rows of the global batch; targets a row brings.
    public var globalRows: Int
    public var targetsPerRow = 1
    /// E.
    public var embedding: Int
    /// Seconds that a rank takes for forward and backward of its share beside those of its node, one a core, by world size.
    public var forward: [Int: Double] = [:]
    public var backward: [Int: Double] = [:]
    /// Seconds of both sides' noise and spectrum of the global batch on one rank alone; 0 without noise.
    public var spectrum = 0.0
    /// Bytes of a bucket of gradients.
    public var bucketBytes = 4 << 20

    /// Of so many ranks those that have no row of the global batch.
    public func idleRanks(of ranks: Int) -> Int { max(0, ranks - globalRows) }

    public init(parameters: Int, globalRows: Int, embedding: Int) {
        (self.parameters, self.globalRows, self.embedding) = (parameters, globalRows, embedding)
    }
}

/// Seconds of one step by what they go to.
public struct StepCost: Sendable, Equatable, Encodable {
    public var ranks: Int
    public var nodes: Int
    /// Forward and backward of the towers.
    public var towers: Double
    public var loss: Double
    public var spectrum: Double
    /// What is bounded by memory: gradients cleared, checked and summed within the node, parameters updated.
    public var memory: Double
    /// Gradients between nodes, and how much of it backward does not hide.
    public var gradients: Double
    public var exposedGradients: Double
    /// Updated parameters between nodes.
    public var parameters: Double
    /// Embeddings of the queries and their gradients between nodes, and from there to the ranks.
    public var embeddings: Double
    /// Messages, whatever their size.
    public var messages: Double

    public var total: Double {
        towers + loss + spectrum + memory + exposedGradients + parameters + embeddings + messages
    }
}

/// The model of docs/scaling.md. W ranks, L of them a node on M nodes; P parameters, N rows, E columns.
public struct CostModel: Sendable {
    public var fabric: Fabric
    public var workload: Workload

    public init(fabric: Fabric, workload: Workload) { (self.fabric, self.workload) = (fabric, workload) }

    /// Collectives of a step beside those of buckets: sums, in which a rank sends to all, and gathers, of which each crosses once a node.
    private static let smallSums = 6.0
    private static let smallGathers = 10.0
    /// Share of the products' rate that the loss reaches.
    private static let lossRate = 0.65

    /// - Precondition: the towers' share was measured for this many ranks.
    public func step(ranks: Int, ranksPerNode: Int) -> StepCost {
        precondition(ranks >= 1 && ranksPerNode >= 1, "\(ranks) ranks, \(ranksPerNode) a node")
        let local = min(ranks, ranksPerNode)
        let nodes = (ranks + local - 1) / local
        let (slowdown, turns) = (fabric.slowdown(ranks: local), fabric.turns(ranks: local))
        let (p, n, e) = (Double(workload.parameters), Double(workload.globalRows), Double(workload.embedding))
        let k = Double(workload.targetsPerRow)
        guard let forward = workload.forward[ranks], let backward = workload.backward[ranks] else {
            preconditionFailure("the share of a rank among \(ranks) was not measured")
        }
        let away = Double(nodes - 1) / Double(nodes)

        // Bytes that a node's memory moves: every rank clears and checks its gradients, neighbours read them, owners update (7 floats).
        let touched = 8 * p * Double(local)
        let summed = local > 1 ? 4 * p * Double(local + 1) : 0
        let updated = 28 * p / Double(nodes)
        let gradients = 4 * p * away / fabric.networkBandwidth
        // What is not moved behind backward, and at least the last bucket, which leaves when backward ends.
        let last = min(Double(workload.bucketBytes), 4 * p) * away / fabric.networkBandwidth
        let exposed = max(gradients - fabric.progress * backward * turns, min(last, gradients))
        // The queries visit every node, and sums of their gradients come back; within it each rank is handed a copy and gives its part. Targets
        // stay.
        let crossing = 2 * 4 * n * e * away / fabric.networkBandwidth
        let handed = nodes > 1 ? 4 * 4 * n * e * Double(local) / fabric.memoryBandwidth : 0
        let buckets = (4 * p / Double(workload.bucketBytes)).rounded(.up)
        let remote = Double(ranks - local)
        let perBucket = 2 * buckets * Double(nodes - 1)
        return StepCost(
            ranks: ranks, nodes: nodes, towers: (forward + backward) * turns,
            loss: 6 * n / Double(ranks) * n * k * e / (fabric.rankRate * Self.lossRate) * slowdown,
            spectrum: spectrum(ranks: ranks) * slowdown, memory: (touched + summed + updated) / fabric.memoryBandwidth,
            gradients: gradients, exposedGradients: exposed, parameters: gradients,
            embeddings: crossing + handed,
            messages: (Self.smallSums * remote + Self.smallGathers * Double(nodes - 1) + perBucket)
                * fabric.messageSeconds)
    }

    /// The Gram matrix is made by all ranks, its eigenproblem for each side by one; with fewer rows than columns one rank a side does both.
    private func spectrum(ranks: Int) -> Double {
        let (n, e) = (Double(workload.globalRows), Double(workload.embedding))
        let sides = Double(min(2, ranks))
        guard n >= e else { return workload.spectrum / sides }
        let (gram, eigen) = (n * e * e, 9 * e * e * e)
        return workload.spectrum * (gram / Double(ranks) + eigen / sides) / (gram + eigen)
    }
}
