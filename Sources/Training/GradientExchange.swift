// Gradients to the ranks that update them, parameters back to all. Not here: the update (Optimizers), clipping's formula.

import Buffers
import Collectives
import Optimizers

/// Reduce-scatters gradients bucket by bucket while backward still runs, and all-gathers the updated parameters.
///
/// Buckets are contiguous ranges of the layout, from its end (complete first) to its start; rank r owns piece r of each. Collectives
/// start in bucket order on every rank, whatever the order in which gradients complete, so that all ranks state them alike.
/// Gradients are *summed*: the loss has already divided by the global batch, and nothing is divided by the world size.
final class GradientExchange {
    private let communicator: any Communicator
    private let shards: ParameterShards
    private let gradients: Floats
    private let parameters: Floats
    /// The summed gradients that this rank owns, piece behind piece in bucket order.
    let owned: Floats
    /// Where each bucket's own piece lies in `owned`.
    private let ownedRanges: [Range<Int>]
    private let bucketOfParameter: [Int]
    private let parametersInBucket: [Int]
    private var missing: [Int]
    private var requests: [any CollectiveRequest] = []
    private var nextBucket = 0

    init(communicator: any Communicator, shards: ParameterShards, layout: ParameterLayout, parameters: Floats, gradients: Floats) {
        self.communicator = communicator
        self.shards = shards
        self.gradients = gradients
        self.parameters = parameters
        var start = 0
        ownedRanges = shards.buckets.map { bucket in
            let count = bucket.pieces[communicator.rank].count
            defer { start += count }
            return start..<start + count
        }
        owned = Floats(repeating: 0, count: start)
        // A parameter that straddles buckets completes the one that is sent last among those it touches, and all before it.
        bucketOfParameter = layout.entries.map { entry in
            shards.buckets.firstIndex { $0.range.overlaps(entry.range) || $0.range.contains(entry.offset) } ?? 0
        }
        var counts = Array(repeating: 0, count: shards.buckets.count)
        for bucket in bucketOfParameter { counts[bucket] += 1 }
        parametersInBucket = counts
        missing = counts
    }

    /// Before a backward pass: nothing has arrived yet.
    func begin() {
        precondition(requests.isEmpty, "a gradient exchange is under way")
        missing = parametersInBucket
        nextBucket = 0
    }

    /// Tells that no more will be added to a parameter's local gradient; sends every bucket that this completes.
    func finished(parameter: Int) throws {
        missing[bucketOfParameter[parameter]] -= 1
        while nextBucket < missing.count, missing[nextBucket] <= 0 { try sendNext() }
        for request in requests { _ = try request.test() }
    }

    /// Sends what is left (parameters that no local row touched) and waits for all of it.
    /// *Collective.*
    func finish() throws {
        while nextBucket < shards.buckets.count { try sendNext() }
        for request in requests { try request.wait() }
        requests.removeAll(keepingCapacity: true)
    }

    private func sendNext() throws {
        let bucket = shards.buckets[nextBucket]
        requests.append(
            try communicator.start(
                .reduceScatter(
                    Payload(gradients[bucket.range]), counts: bucket.pieces.map(\.count), into: Payload(owned[ownedRanges[nextBucket]]), .sum)))
        nextBucket += 1
    }

    /// After every rank has updated the parameters it owns: all parameters to all ranks. *Collective.*
    func gatherParameters() throws {
        guard communicator.size > 1 else { return }
        var inFlight: [any CollectiveRequest] = []
        for bucket in shards.buckets {
            let piece = bucket.pieces[communicator.rank]
            let local = Floats(count: piece.count)
            local.copy(from: parameters[piece])
            inFlight.append(
                try communicator.start(
                    .allGather(Payload(local), counts: bucket.pieces.map(\.count), into: Payload(parameters[bucket.range]))))
        }
        for request in inFlight { try request.wait() }
    }
}
