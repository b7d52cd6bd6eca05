// Matrices for the tests and their way to and from .npy files. Not here: oracles (Tests/Oracles), the program (Program.swift).

import ArrayFiles
import Buffers
import Foundation
import Oracles
import Randomness

extension Dense {
    /// Standard normals, exact in float32; another `salt`, other numbers.
    static func normals(_ rows: Int, _ columns: Int, salt: Int) -> Dense {
        let field = RandomField(seed: 0x70_6f_6f_6c, purpose: .test)
        return Dense(rows, columns, field.normals(step: salt, firstRow: 0, rows: rows, columns: columns).array)
    }

    /// The matrix whose elements are the nearest float32: what a file holds.
    var rounded: Dense { Dense(rows, columns, values.map { Float($0) }) }

    /// Rows divided by their length.
    var unitRows: Dense {
        var result = self
        for row in 0..<rows {
            let length = (0..<columns).reduce(0) { $0 + self[row, $1] * self[row, $1] }.squareRoot()
            for column in 0..<columns where length > 0 { result[row, column] /= length }
        }
        return result
    }

    static func - (a: Dense, b: Dense) -> Dense { Dense(a.rows, a.columns, zip(a.values, b.values).map { $0 - $1 }) }

    /// Largest absolute element.
    var largest: Double { values.reduce(0) { max($0, abs($1)) } }

    func write(_ path: String) throws {
        try NPYArray.write(path: path, shape: [rows, columns], values: Floats(values.map { Float($0) }))
    }

    /// A two-dimensional array from a file.
    static func read(_ path: String) throws -> Dense {
        let array = try NPYArray.read(path: path)
        precondition(array.shape.count == 2, "\(path) has shape \(array.shape)")
        return Dense(array.shape[0], array.shape[1], array.values.array)
    }
}

/// ‖a − b‖ / ‖b‖, or ‖a‖ where b is zero.
func relativeError(_ a: Dense, _ b: Dense) -> Double {
    guard a.rows == b.rows, a.columns == b.columns else { return .infinity }
    return (a - b).norm / (b.norm > 0 ? b.norm : 1)
}

/// |a − b| / max(|b|, 1).
func relativeError(_ a: Any?, _ b: Double) -> Double {
    guard let a = a as? Double else { return .infinity }
    return abs(a - b) / max(abs(b), 1)
}
