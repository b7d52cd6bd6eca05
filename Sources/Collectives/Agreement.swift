// One outcome and one opinion for all ranks. Not here: what is attempted or compared.

import Buffers
import Failures
import Foundation

extension Communicator {
    /// Whether every rank is done with something that takes its time and is no collective: reading, or writing to a disk. *Collective.*
    ///
    /// The others' answers are waited for asleep at first, where a collective spins: ranks that ask now and then never ask at quite the same
    /// moment, and a process that waits for a disk shall be seen to be idle although it asks.
    public func isDoneEverywhere(_ isDone: Bool) throws -> Bool {
        let answer = Doubles([isDone ? 1 : 0])
        let request = try start(.allReduce(Payload(answer), .minimum))
        var turns = 0
        while turns < 100, try !request.test() {
            usleep(turns < 20 ? 1000 : 10_000)
            turns += 1
        }
        try request.wait()
        return answer[0] == 1
    }

    /// The root's bytes, of a number that only the root knows. *Collective.*
    public func broadcast(_ bytes: [UInt8], root: Int) throws -> [UInt8] {
        let count = Buffer<Int64>([Int64(bytes.count)])
        try broadcast(count, root: root)
        guard count[0] > 0 else { return [] }
        let buffer = rank == root ? Buffer<UInt8>(bytes) : Buffer<UInt8>(count: Int(count[0]))
        try broadcast(buffer, root: root)
        return buffer.array
    }

    /// Throws on every rank alike when `value` is not the same on all of them. *Collective.*
    /// - Parameters:
    ///   - value: compared through its FNV-1a hash of 64 bits.
    ///   - what: names it in the message.
    ///   - remedy: what to do, for the message.
    /// - Throws: `Failure(.configuration)` naming the first rank that differs from rank 0.
    public func requireAgreement(on value: String, what: String, remedy: String) throws {
        let hash = value.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        let hashes = try allGather(Int(Int64(bitPattern: hash)))
        guard let different = hashes.firstIndex(where: { $0 != hashes[0] }) else { return }
        throw Failure(.configuration, "rank \(different) has another \(what) than rank 0; \(remedy)")
    }
}

/// Runs `body` on every rank and gives every rank the same outcome: all return, or all throw the failure of the first rank that failed.
///
/// *Collective*; `body` is local, for a rank that failed inside a collective would leave the others waiting in it. Without this, a
/// rank that cannot read or write leaves the rest in the next all-reduce until their deadline.
///
/// - Throws: `Failure`, equal on all ranks; `CollectiveError` when the ranks cannot be reached.
public func agreed<Value>(_ communicator: any Communicator, _ body: () throws -> Value) throws -> Value {
    let outcome = Result { try body() }
    var failure: Failure?
    if case .failure(let error) = outcome {
        failure = error as? Failure ?? Failure(.internal, String(describing: error))
    }
    let codes = try communicator.allGather(Int(failure?.exitCode ?? 0))
    guard let first = codes.firstIndex(where: { $0 != 0 }) else { return try outcome.get() }
    let message = String(
        decoding: try communicator.broadcast(Array((failure?.message ?? "").utf8), root: first), as: UTF8.self)
    // Where all ranks fail, the first of them is no news.
    let isEverywhere = codes.allSatisfy { $0 != 0 }
    throw Failure(
        Failure.Kind(rawValue: Int32(codes[first])) ?? .internal, isEverywhere ? message : "rank \(first): \(message)")
}
