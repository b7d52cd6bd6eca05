// Randomness as a function of (seed, purpose, step, row, column). Not here: the bits (Philox.swift).

public import Buffers
private import CVectorMath

/// What random numbers are for. The raw value is part of the key: two purposes never share a number. Values are never reused.
public enum RandomPurpose: UInt32, Sendable {
    case initialWeights = 1
    case shuffle = 2
    case caption = 3
    case augmentation = 4
    case dropout = 5
    case outputNoise = 6
    case inputNoise = 7
    case shuffledSpectrum = 8
    case rangeFinder = 9
    case negatives = 10
    case mining = 11
    case wrongPairs = 12
    case tokenNoise = 13
    case mixing = 14
    case randomNegatives = 15
    case perturbedInputs = 16
    case bootstrap = 17
    case test = 255
}

/// A random function: the same (seed, purpose, stream, step, row, column) gives the same number, on any rank, in any order.
///
/// `seed` and (`purpose`, `stream`) make the Philox key; (column / 4, row, step) the counter. `stream` separates users of one
/// purpose: the two towers, the layers with dropout.
public struct RandomField: Sendable {
    @usableFromInline let key: SIMD2<UInt32>
    @usableFromInline let seedHigh: UInt32

    /// - Parameter stream: 0 ..< 2²⁴.
    public init(seed: UInt64, purpose: RandomPurpose, stream: UInt32 = 0) {
        precondition(stream < 1 << 24, "stream \(stream) exceeds 24 bits")
        key = SIMD2(UInt32(truncatingIfNeeded: seed), purpose.rawValue << 24 | stream)
        seedHigh = UInt32(truncatingIfNeeded: seed >> 32)
    }

    /// Four numbers of 32 bits: columns 4·`block` ..< 4·`block` + 4 of a row. Rows are below 2⁴⁰, steps and blocks below 2³².
    @inlinable public func bits(step: Int, row: Int, block: Int) -> SIMD4<UInt32> {
        let philox = input(step: step, row: row, block: block)
        return Philox.bits(counter: philox.counter, key: philox.key)
    }

    @usableFromInline func input(step: Int, row: Int, block: Int) -> (counter: SIMD4<UInt32>, key: SIMD2<UInt32>) {
        let high = UInt32(truncatingIfNeeded: row >> 32) &* 0x9E37_79B9 ^ seedHigh
        let counter = SIMD4(
            UInt32(truncatingIfNeeded: block), UInt32(truncatingIfNeeded: row), UInt32(truncatingIfNeeded: step), high)
        return (counter, key)
    }

    /// Calls `body` with what Philox is given for a row's first block, four words of counter and two of key: for kernels that make many
    /// blocks at once (the block is the counter's first word).
    public func withPhilox(step: Int, row: Int, _ body: (UnsafePointer<UInt32>, UnsafePointer<UInt32>) -> Void) {
        let philox = input(step: step, row: row, block: 0)
        withUnsafeBytes(of: philox.counter) { counter in
            withUnsafeBytes(of: philox.key) { key in
                guard let counter = counter.assumingMemoryBound(to: UInt32.self).baseAddress,
                    let key = key.assumingMemoryBound(to: UInt32.self).baseAddress
                else { return }
                body(counter, key)
            }
        }
    }

    /// Uniform in [0, 1), a multiple of 2⁻²⁴.
    @inlinable public func uniform(step: Int = 0, row: Int, column: Int = 0) -> Float {
        Float(bits(step: step, row: row, block: column / 4)[column % 4] >> 8) * 0x1p-24
    }

    /// Uniform in 0 ..< `bound`, by multiplication (bias below bound · 2⁻³²).
    @inlinable public func integer(below bound: Int, step: Int = 0, row: Int, column: Int = 0) -> Int {
        precondition(bound > 0 && bound <= 1 << 32, "bound \(bound) is outside 1...2³²")
        return Int((UInt64(bits(step: step, row: row, block: column / 4)[column % 4]) &* UInt64(bound)) >> 32)
    }

    /// Overwrites `row` with the first `row.count` standard normals of global row `index`, by Box–Muller in float64.
    public func normals(step: Int, row index: Int, into row: Floats) {
        withPhilox(step: step, row: index) { fanoise_normal_row(row.base, row.count, $0, $1) }
    }

    /// Standard normals for `rows` consecutive global rows of `columns` each, the first global row being `firstRow`; row-major.
    public func normals(step: Int, firstRow: Int, rows: Int, columns: Int) -> Floats {
        let result = Floats(count: rows * columns)
        for row in 0..<rows {
            normals(step: step, row: firstRow + row, into: result[row * columns..<(row + 1) * columns])
        }
        return result
    }

    /// A permutation of 0 ..< `count` (Fisher–Yates, one 32-bit number an element).
    public func permutation(count: Int, step: Int = 0) -> [Int] {
        var order = Array(0..<count)
        for last in stride(from: count - 1, to: 0, by: -1) {
            order.swapAt(last, integer(below: last + 1, step: step, row: last))
        }
        return order
    }
}
