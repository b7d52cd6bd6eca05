// What the machine does, measured. Not here: what it should do.

import Buffers
import Dispatch
import Foundation
import Kernels

/// Measured peaks, the yardstick of `gemm_utilisation`.
public struct MachineSpeed: Sendable, Equatable, Encodable {
    /// Billions of floating-point operations a second in a large float32 product on `ProductUnit.used`, by one thread.
    public var gemmOneCore: Double
    /// The same by all threads.
    public var gemmAllCores: Double
    public var threads: Int
    /// Bytes a second of `a = b + s c` over arrays larger than the caches, in GB, by one thread and by all.
    public var triadOneCore: Double
    public var triadAllCores: Double

    /// Measures for about `seconds`. Sets OpenBLAS's number of threads, and leaves it at `threads`.
    public static func measure(threads: Int, seconds: Double = 2) -> MachineSpeed {
        precondition(threads >= 1, "\(threads) threads")
        let part = seconds / 4
        let triad = Triad(threads: threads)
        return MachineSpeed(
            gemmOneCore: gemmRate(threads: 1, seconds: part), gemmAllCores: gemmRate(threads: threads, seconds: part),
            threads: threads,
            triadOneCore: triad.rate(threads: 1, seconds: part),
            triadAllCores: triad.rate(threads: threads, seconds: part))
    }

    /// GFLOP/s of the best of several products of 1024 × 1024 matrices: the best, because other work on the machine only slows down.
    public static func gemmRate(threads: Int, seconds: Double) -> Double {
        let before = blasThreads()
        setBLASThreads(threads)
        defer { setBLASThreads(before) }
        let n = 1024
        let a = Floats(repeating: 1, count: n * n)
        let b = Floats(repeating: 0.5, count: n * n)
        let c = Floats(repeating: 0, count: n * n)
        let best = fastest(within: seconds) {
            gemm(
                Matrix(a, rows: n, columns: n), .none, Matrix(b, rows: n, columns: n),
                into: Matrix(c, rows: n, columns: n))
        }
        return 2 * Double(n) * Double(n) * Double(n) / best / 1e9
    }

    /// Seconds of the fastest call; the first is for warming up.
    fileprivate static func fastest(within seconds: Double, _ body: () -> Void) -> Double {
        body()
        let clock = ContinuousClock()
        let end = clock.now + .seconds(seconds)
        var best = Duration.seconds(1e6)
        repeat { best = min(best, clock.measure(body)) } while clock.now < end
        return best / .seconds(1)
    }
}

/// `a = b + s c`, McCalpin's STREAM triad.
private struct Triad: Sendable {
    let count = 16 << 20
    let a: Floats
    let b: Floats
    let c: Floats

    /// Touches the pages with as many threads as will use them.
    init(threads: Int) {
        let a = Floats(count: count)
        let b = Floats(count: count)
        let c = Floats(count: count)
        let length = count
        DispatchQueue.concurrentPerform(iterations: threads) { thread in
            let part = thread * length / threads..<(thread + 1) * length / threads
            a[part].fill(0)
            b[part].fill(1)
            c[part].fill(2)
        }
        (self.a, self.b, self.c) = (a, b, c)
    }

    /// GB/s counted as STREAM does: two reads and one write.
    func rate(threads: Int, seconds: Double) -> Double {
        let seconds = MachineSpeed.fastest(within: seconds) {
            DispatchQueue.concurrentPerform(iterations: threads) { thread in
                let part = thread * count / threads..<(thread + 1) * count / threads
                let (x, y, z) = (a[part].base, b[part].base, c[part].base)
                for index in 0..<part.count { x[index] = y[index] + 3 * z[index] }
            }
        }
        return 3 * Double(count) * 4 / seconds / 1e9
    }
}
