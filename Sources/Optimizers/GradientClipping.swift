// Scaling down gradients that are too long. Not here: the sum over ranks of the squared norms (Collectives).

public import Buffers

/// Clipping by the norm of all gradients together, as `torch.nn.utils.clip_grad_norm_`.
public enum GradientClipping {
    /// Σ g² over some ranges of a flat buffer, accumulated in float64. Local: the sum of this over ranks that own disjoint ranges is
    /// the squared norm of the whole gradient. Non-finite if any element is.
    public static func squaredNorm(of gradients: Floats, in ranges: [Range<Int>]) -> Double {
        ranges.reduce(0) { $0 + squaredNorm(of: gradients[$1]) }
    }

    private static func squaredNorm(of values: Floats) -> Double {
        // Eight partial sums in fixed order: vectorisable, and the same on every run.
        var lanes = SIMD8<Double>.zero
        let base = values.base
        let vectorised = values.count / 8 * 8
        for index in stride(from: 0, to: vectorised, by: 8) {
            let x = SIMD8<Double>(UnsafeRawPointer(base + index).loadUnaligned(as: SIMD8<Float>.self))
            lanes += x * x
        }
        var sum = lanes.sum()
        for index in vectorised..<values.count { sum += Double(base[index]) * Double(base[index]) }
        return withExtendedLifetime(values.memory) { sum }
    }

    /// The factor of the gradients: `min(1, limit / (norm + 1e-6))`; 1 without a limit.
    /// - Precondition: the norm is finite; non-finite gradients are handled before the update, on all ranks alike.
    public static func coefficient(norm: Double, limit: Double?) -> Float {
        precondition(norm.isFinite && norm >= 0, "gradient norm \(norm)")
        guard let limit else { return 1 }
        return Float(min(1, limit / (norm + 1e-6)))
    }
}
