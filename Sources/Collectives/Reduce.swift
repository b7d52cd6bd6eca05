// The arithmetic of reductions, one for all worlds. Not here: in which order ranks are folded (rank order, everywhere).

/// `target[i] = target[i] ∘ source[i]` for i < count; ∘ is sum, minimum or maximum.
///
/// Integer sums wrap. Minimum and maximum of floats return NaN when either is NaN, so that a non-finite value on one rank is seen
/// on all. Local; `source` and `target` do not overlap.
func accumulate(
    _ source: UnsafeRawPointer, into target: UnsafeMutableRawPointer, count: Int, type: ElementType,
    _ reduction: Reduction
) {
    switch type {
    case .float32: foldFloats(source, target, count, reduction, as: Float.self)
    case .float64: foldFloats(source, target, count, reduction, as: Double.self)
    case .int32: foldIntegers(source, target, count, reduction, as: Int32.self)
    case .int64: foldIntegers(source, target, count, reduction, as: Int64.self)
    case .uint8: foldIntegers(source, target, count, reduction, as: UInt8.self)
    }
}

@inline(__always) private func foldFloats<T: BinaryFloatingPoint>(
    _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _ count: Int, _ reduction: Reduction, as: T.Type
) {
    let s = source.assumingMemoryBound(to: T.self)
    let t = target.assumingMemoryBound(to: T.self)
    switch reduction {
    case .sum: for i in 0..<count { t[i] += s[i] }
    case .minimum: for i in 0..<count { t[i] = t[i] < s[i] || t[i] != t[i] ? t[i] : s[i] }
    case .maximum: for i in 0..<count { t[i] = t[i] > s[i] || t[i] != t[i] ? t[i] : s[i] }
    }
}

@inline(__always) private func foldIntegers<T: FixedWidthInteger>(
    _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _ count: Int, _ reduction: Reduction, as: T.Type
) {
    let s = source.assumingMemoryBound(to: T.self)
    let t = target.assumingMemoryBound(to: T.self)
    switch reduction {
    case .sum: for i in 0..<count { t[i] &+= s[i] }
    case .minimum: for i in 0..<count { t[i] = min(t[i], s[i]) }
    case .maximum: for i in 0..<count { t[i] = max(t[i], s[i]) }
    }
}
