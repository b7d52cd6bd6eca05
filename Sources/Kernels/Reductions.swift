// Sums over whole buffers, and the search for what is not finite. Not here: sums over ranks (Collectives).

public import Buffers
private import CVectorMath

/// `y += scale · x`, equal counts.
public func addInto(_ y: Floats, _ x: Floats, scale: Float = 1) {
    precondition(y.count == x.count, "adding \(x.count) elements to \(y.count)")
    parallel(y.count, elements: 2 * y.count) { part in
        fanoise_add_scaled(y.base + part.lowerBound, x.base + part.lowerBound, scale, part.count)
    }
}

/// `a + b`, equal counts, in new memory.
public func sum(_ a: Floats, _ b: Floats) -> Floats {
    precondition(a.count == b.count, "adding \(b.count) elements to \(a.count)")
    let result = Floats(count: a.count)
    parallel(a.count, elements: 3 * a.count) { part in
        let first = part.lowerBound
        fanoise_sum(a.base + first, b.base + first, result.base + first, part.count)
    }
    return result
}

/// `Σ x_i y_i`; products and sum in float64.
public func dot(_ x: Floats, _ y: Floats) -> Double {
    precondition(y.count == x.count, "dot product of \(x.count) and \(y.count) elements")
    return fanoise_dot(x.base, y.base, x.count)
}

/// `Σ x_i²` in float64: squares of float32 are exact, so that the sum is good to 1e-15 · √n or so.
public func sumOfSquares(_ x: Floats) -> Double { fanoise_dot(x.base, x.base, x.count) }

/// Index of the first NaN or infinity; nil when all elements are finite.
public func firstNonFinite(_ x: Floats) -> Int? {
    let index = fanoise_first_non_finite(x.base, x.count)
    return index < 0 ? nil : index
}

/// Whether no element is NaN or infinite.
public func allFinite(_ x: Floats) -> Bool { firstNonFinite(x) == nil }
