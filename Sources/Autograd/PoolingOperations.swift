// One row for each sequence, and rows side by side. Not here: choosing rows and means (Operations), loops (Kernels).
//
// Shapes: R rows of all sequences, B sequences, C columns.

import Buffers
import Kernels

extension Tape {
    /// The weighted sum of every sequence's rows: `y_b = Σ_r w_r x_r`, y_BC of x_RC.
    /// - Parameter weights: one for each row, constants.
    public func weightedPool(_ x: Tensor, weights: [Float], offsets: [Int]) -> Tensor {
        let y = Floats(count: (offsets.count - 1) * x.columns)
        weightedPoolForward(x.values, weights: weights, offsets: offsets, columns: x.columns, into: y)
        let output = record(y, shape: [offsets.count - 1, x.columns], inputs: [x]) { [unowned self] dy in
            accumulate(into: x) { dx in
                weightedPoolBackward(dy, weights: weights, offsets: offsets, columns: x.columns, into: dx)
            }
        }
        output.isPooled = true
        return output
    }

    /// The largest element of every column of a sequence: y_BC of x_RC. Of equal ones the first has the gradient, as in PyTorch.
    public func maxPool(_ x: Tensor, offsets: [Int]) -> Tensor {
        let y = Floats(count: (offsets.count - 1) * x.columns)
        let rows = maxPoolForward(x.values, offsets: offsets, columns: x.columns, into: y)
        let output = record(y, shape: [offsets.count - 1, x.columns], inputs: [x]) { [unowned self] dy in
            accumulate(into: x) { dx in maxPoolBackward(dy, rows: rows, columns: x.columns, into: dx) }
        }
        output.isPooled = true
        return output
    }

    /// Matrices of equally many rows side by side.
    public func joinColumns(_ parts: [Tensor]) -> Tensor {
        let rows = parts[0].rows
        precondition(parts.allSatisfy { $0.rows == rows }, "joining rows \(parts.map(\.rows))")
        let width = parts.reduce(0) { $0 + $1.columns }
        let y = Floats(count: rows * width)
        var starts: [Int] = []
        var start = 0
        for part in parts {
            copyColumns(
                part.values, stride: part.columns, into: y[start..<y.count], stride: width, rows: rows,
                columns: part.columns)
            starts.append(start)
            start += part.columns
        }
        return record(y, shape: [rows, width], inputs: parts) { [unowned self] dy in
            for (part, start) in zip(parts, starts) {
                accumulate(into: part) { dx in
                    copyColumns(
                        dy[start..<dy.count], stride: width, into: dx, stride: part.columns, rows: rows,
                        columns: part.columns)
                }
            }
        }
    }
}
