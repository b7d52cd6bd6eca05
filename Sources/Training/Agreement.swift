// Ranks that do not agree on what they do would hang or, worse, train. Not here: checks of single collectives (Collectives).

import Buffers
import Collectives
import Failures

/// Throws on every rank alike when `value` is not the same on all of them. *Collective.*
/// - Parameters:
///   - value: compared through its FNV-1a hash of 64 bits.
///   - what: names it in the message.
///   - remedy: what to do, for the message.
func requireAgreement(on value: String, what: String, remedy: String, _ communicator: any Communicator) throws {
    let hash = value.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    let hashes = try communicator.allGather(Int(bitPattern: UInt(hash)))
    guard let different = hashes.firstIndex(where: { $0 != hashes[0] }) else { return }
    throw Failure(.configuration, "rank \(different) has another \(what) than rank 0; \(remedy)")
}

/// The same result or the same failure on every rank: when `body` throws on some, all throw what the first of them threw. *Collective.*
func together<Result>(_ communicator: any Communicator, _ body: () throws -> Result) throws -> Result {
    let outcome = Swift.Result { try body() }
    let failure: Failure?
    switch outcome {
    case .success: failure = nil
    case .failure(let error as Failure): failure = error
    case .failure(let error): failure = Failure(.internal, "\(error)")
    }
    let codes = try communicator.allGather(Int(failure?.exitCode ?? 0))
    guard let first = codes.firstIndex(where: { $0 != 0 }) else { return try outcome.get() }
    // The message of the first rank that failed, to all.
    let text = Array((failure?.message ?? "").utf8)
    let lengths = try communicator.allGather(text.count)
    let message = Buffer<UInt8>(repeating: 0, count: lengths[first])
    if communicator.rank == first { message.copy(from: Buffer(text)) }
    try communicator.broadcast(message, root: first)
    let kind = Failure.Kind(rawValue: Int32(codes[first])) ?? .internal
    throw Failure(kind, String(decoding: message.array, as: UTF8.self))
}
