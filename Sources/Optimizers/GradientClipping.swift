// Scaling down gradients that are too long. Not here: the sum over ranks of the squared norms (Collectives).

public import Buffers
import Kernels

/// Clipping by the norm of all gradients together, as `torch.nn.utils.clip_grad_norm_`.
public enum GradientClipping {
    /// Σ g² over some ranges of a flat buffer, accumulated in float64. Local: the sum of this over ranks that own disjoint ranges is
    /// the squared norm of the whole gradient. Non-finite if any element is.
    public static func squaredNorm(of gradients: Floats, in ranges: [Range<Int>]) -> Double {
        ranges.reduce(0) { $0 + sumOfSquares(gradients[$1]) }
    }

    /// The factor of the gradients: `min(1, limit / (norm + 1e-6))`; 1 without a limit.
    /// - Precondition: the norm is finite; non-finite gradients are handled before the update, on all ranks alike.
    public static func coefficient(norm: Double, limit: Double?) -> Float {
        precondition(norm.isFinite && norm >= 0, "gradient norm \(norm)")
        guard let limit else { return 1 }
        return Float(min(1, limit / (norm + 1e-6)))
    }
}
