// What the machine is, as the system tells it. Not here: what it does (MachineSpeed.swift), what is wrong with it (SetupAdvice.swift).

import Foundation

/// The widest vector instructions that matter here.
public enum SIMDLevel: String, Sendable, Encodable {
    case baseline
    case avx2
    /// F, DQ, BW, VL and CD together: what OpenBLAS's SkylakeX kernels and x86-64-v4 need.
    case avx512
}

/// The machine as this process sees it.
public struct Machine: Sendable, Equatable {
    public var processor: String
    /// Logical cores that this process may use: its affinity, and no more than the control group's quota.
    public var cores: Int
    /// Numbers of the logical cores that this process may run on: its affinity.
    public var coreList: [Int]
    /// The control group's quota in whole cores, at least 1; nil for none.
    public var quota: Int?
    /// Cores that share no arithmetic units with each other, among all of the machine; at most `cores` of them are ours.
    public var physicalCores: Int
    public var memoryBytes: Int
    public var simd: SIMDLevel
    /// Free bytes of /dev/shm, where ranks of one machine share memory; nil where there is none.
    public var sharedMemoryBytes: Int?
    /// Free bytes where runs are written.
    public var diskBytes: Int?

    /// Looks at the machine. What cannot be read is stated as unknown or nil.
    /// - Parameter folder: where runs are written.
    public static func current(folder: String = ".") -> Machine {
        let information = text(of: "/proc/cpuinfo")
        let affinity = affinityList()
        let quota = quotaCores().map { max(1, Int($0.rounded(.up))) }
        let cores = min(affinity.count, quota ?? affinity.count)
        return Machine(
            processor: field("model name", in: information) ?? "unknown", cores: cores, coreList: affinity,
            quota: quota,
            physicalCores: min(cores, physicalCoreCount() ?? cores),
            memoryBytes: Int(ProcessInfo.processInfo.physicalMemory),
            simd: simdLevel(flags: cpuFlags(in: information)), sharedMemoryBytes: freeBytes("/dev/shm"),
            diskBytes: freeBytes(folder))
    }

    /// The vector level of this processor alone: cheap enough for the start of every process.
    public static var simdLevel: SIMDLevel { simdLevel(flags: cpuFlags(in: text(of: "/proc/cpuinfo"))) }

    static func simdLevel(flags: Set<Substring>) -> SIMDLevel {
        if flags.isSuperset(of: ["avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"]) { return .avx512 }
        return flags.isSuperset(of: ["avx2", "fma"]) ? .avx2 : .baseline
    }

    static func cpuFlags(in information: String) -> Set<Substring> {
        Set((field("flags", in: information) ?? "").split(separator: " ").map { Substring(String($0)) })
    }

    /// The first value of a key of /proc/cpuinfo, `key<tabs>: value`.
    static func field(_ key: String, in information: String) -> String? {
        for line in information.split(separator: "\n") where line.hasPrefix(key) {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2, parts[0].trimmingCharacters(in: .whitespaces) == key {
                return parts[1].trimmingCharacters(in: .whitespaces)
            }
        }
        return nil
    }

    private static func text(of path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }

    private static func affinityList() -> [Int] {
        field("Cpus_allowed_list", in: text(of: "/proc/self/status")).flatMap(members)
            ?? Array(0..<ProcessInfo.processInfo.activeProcessorCount)
    }

    /// Members of a kernel list, `0-3,8`; nil if it is none.
    static func members(ofList list: String) -> [Int]? {
        var members: [Int] = []
        for item in list.split(separator: ",") {
            let bounds = item.split(separator: "-").map { Int($0) }
            guard let first = bounds.first ?? nil, let last = bounds.last ?? nil, last >= first else { return nil }
            members += first...last
        }
        return members.isEmpty ? nil : members
    }

    /// The control group's CPU time per time, in cores; nil for no limit.
    private static func quotaCores() -> Double? {
        let parts = text(of: "/sys/fs/cgroup/cpu.max").split { $0 == " " || $0 == "\n" }
        guard parts.count == 2, let quota = Double(parts[0]), let period = Double(parts[1]), period > 0 else {
            return nil
        }
        return quota / period
    }

    private static func physicalCoreCount() -> Int? {
        let root = "/sys/devices/system/cpu"
        let folders = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        let siblings = folders.filter { $0.hasPrefix("cpu") }.map {
            text(of: "\(root)/\($0)/topology/thread_siblings_list")
        }
        let count = Set(siblings.filter { !$0.isEmpty }).count
        return count > 0 ? count : nil
    }

    private static func freeBytes(_ path: String) -> Int? {
        var information = statvfs()
        guard statvfs(path, &information) == 0 else { return nil }
        return Int(information.f_bavail) * Int(information.f_frsize)
    }
}
