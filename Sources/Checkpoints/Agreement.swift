// One outcome for all ranks. Not here: what is attempted (CheckpointStore.swift).

import Buffers
import Collectives
import Failures

/// Runs `body` on every rank and gives every rank the same outcome: all return, or all throw the failure of the first rank that failed.
///
/// *Collective*; `body` is local, for a rank that failed inside a collective would leave the others waiting in it. Without this, a
/// rank that cannot write leaves the rest in the next all-reduce until their deadline.
///
/// - Throws: `Failure`, equal on all ranks; `CollectiveError` when the ranks cannot be reached.
func agreed<Value>(_ communicator: any Communicator, _ body: () throws -> Value) throws -> Value {
    let outcome = Result { try body() }
    var failure: Failure?
    if case .failure(let error) = outcome {
        failure = error as? Failure ?? Failure(.internal, String(describing: error))
    }
    let codes = try communicator.allGather(Int(failure?.exitCode ?? 0))
    guard let first = codes.firstIndex(where: { $0 != 0 }) else { return try outcome.get() }
    let message = try communicator.broadcast(Array((failure?.message ?? "").utf8), root: first)
    let text = String(decoding: message, as: UTF8.self)
    throw Failure(
        Failure.Kind(rawValue: Int32(codes[first])) ?? .internal,
        communicator.size == 1 ? text : "rank \(first): \(text)")
}

extension Communicator {
    /// The root's bytes, of a number that only the root knows. *Collective*.
    func broadcast(_ bytes: [UInt8], root: Int) throws -> [UInt8] {
        let count = Buffer<Int64>([Int64(bytes.count)])
        try broadcast(count, root: root)
        guard count[0] > 0 else { return [] }
        let buffer = rank == root ? Buffer<UInt8>(bytes) : Buffer<UInt8>(count: Int(count[0]))
        try broadcast(buffer, root: root)
        return buffer.array
    }
}
