// How the cores of a machine are divided among the ranks that run on it. Not here: what suits a machine that is empty (SetupAdvice).

import Buffers
public import Collectives
import Foundation

/// One rank's part of its machine.
///
/// Each core is divided among the ranks that may run on it, as the launcher has bound them; the control group's quota among all ranks of
/// the machine. So W ranks of T threads never are more threads than cores, unless somebody asks for it. Ranks that are threads of one
/// process get one thread each: OpenBLAS has one setting for a process, and serves one product after another.
public struct CoreShare: Sendable, Equatable {
    /// Ranks on this machine, this one included.
    public var ranks: Int
    /// Cores that they may use together.
    public var cores: Int
    /// Threads that this rank uses.
    public var threads: Int
    /// Threads of all ranks of this machine together.
    public var totalThreads: Int

    /// `2 ranks × 1 thread on 2 cores`.
    public var words: String {
        "\(counted(ranks, "rank")) × \(counted(threads, "thread")) on \(counted(cores, "core"))"
    }

    /// What is wrong with it, in one sentence; nil when nothing is.
    public var remark: String? {
        if totalThreads > cores, threads > 1 {
            return
                "\(ranks) rank(s) of this machine use \(totalThreads) threads on \(cores) core(s), which take turns: set threads to auto, or start fewer ranks"
        }
        if totalThreads > cores {
            return
                "\(ranks) ranks take turns on \(cores) core(s): start at most \(cores) on a machine (mpirun -n, slots of the hostfile)"
        }
        return nil
    }

    /// Divides the cores. *Collective.*
    /// - Parameters:
    ///   - requested: threads of a rank, as the user wants them; automatic for its share of the cores.
    ///   - machine: as this process sees it.
    public static func agree(
        on requested: Automatic<Int> = .automatic, machine: Machine = .current(), communicator: any Communicator
    ) throws -> CoreShare {
        let own = machine.coreList
        let masks = try communicator.gather(own)
        let node = communicator.node
        let cores = Array(Set(node.flatMap { masks[$0] })).count
        let usable = min(cores, machine.quota ?? cores)
        let fair =
            communicator.sharesProcess ? 1 : share(of: own, among: node.map { masks[$0] }, quota: machine.quota)
        let threads = requested.resolved(fair)
        let all = try communicator.allGather(threads)
        return CoreShare(
            ranks: node.count, cores: usable, threads: threads, totalThreads: node.reduce(0) { $0 + all[$1] })
    }

    /// Whole cores that fall to a rank when each core is divided evenly among those who may use it; at least 1.
    static func share(of own: [Int], among masks: [[Int]], quota: Int?) -> Int {
        let share = own.reduce(0.0) { sum, core in sum + 1 / Double(max(1, masks.count { $0.contains(core) })) }
        // 1/3 + 1/3 + 1/3 is a whole core.
        let whole = Int((share + 1e-6).rounded(.down))
        return max(1, quota.map { min(whole, $0 / max(1, masks.count)) } ?? whole)
    }
}

extension Communicator {
    /// Lists of every rank, in rank order. *Collective.*
    fileprivate func gather(_ list: [Int]) throws -> [[Int]] {
        let counts = try allGather(list.count)
        let all = Buffer<Int64>(count: counts.reduce(0, +))
        try allGather(Buffer<Int64>(list.map { Int64($0) }), counts: counts, into: all)
        var start = 0
        return counts.map { count in
            defer { start += count }
            return all[start..<start + count].array.map { Int($0) }
        }
    }
}
