// The spectrum of a distributed batch for its own sake: evaluation, `fanoise spectrum`. Not here: noise.

public import Buffers
public import Collectives

extension Spectrum {
    /// The spectrum of the global batch, the same on every rank. *Collective.*
    ///
    /// - Parameters:
    ///   - values_BN: this rank's rows, rows × columns; `rows` may differ between ranks and be zero.
    ///   - sketch: directions that the randomized solver resolves.
    ///   - firstRow: global index of the first local row, for messages.
    /// - Throws: on every rank alike, `Failure(.data)` naming rank and row of a value that is not finite.
    public static func measure(
        _ values_BN: Floats, rows: Int, columns: Int, firstRow: Int, globalRows: Int, center: Bool = false,
        solver: NoiseOptions.Solver = .auto, sketch: Int = 256, communicator: any Communicator
    ) throws -> Spectrum {
        precondition(values_BN.count == rows * columns, "\(rows)×\(columns) rows in \(values_BN.count) elements")
        let side = NoiseSide(values_BN, rows: rows, firstRow: firstRow, globalRows: globalRows)
        let counts = try agreedCounts(of: [side], communicator)
        let batch = DistributedRows(local_BN: values_BN, counts: counts[0], columns: columns, step: 0)
        return try decompositions(
            of: [batch], options: NoiseOptions(center: center, solver: solver, sketch: sketch), seed: 0, communicator)[
                0
            ].spectrum
    }
}
