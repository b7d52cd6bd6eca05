// Gradients to the ranks that update them, parameters back to all. Not here: the update (Optimizers).

import Autograd
import Buffers
import Collectives
import Kernels
import Optimizers

/// Reduce-scatters gradients bucket by bucket while backward still runs, and all-gathers the updated parameters.
///
/// Buckets are numbered from the layout's end, which is complete first, to its start; rank r owns piece r of each. Collectives start
/// in bucket order on every rank, whatever the order in which gradients complete, so that all ranks state them alike. Gradients are
/// *summed*: the loss has already divided by the global batch, and nothing is divided by the world size.
final class GradientExchange {
    private let communicator: any Communicator
    private let shards: ParameterShards
    /// Of the trainable parameters.
    private let layout: ParameterLayout
    private let gradients: Floats
    private let parameters: Floats
    /// By the tape's index; nil for frozen parameters.
    private let places: [(bucket: Int, range: Range<Int>)?]
    /// Passes of a step that add to each parameter's gradient, by the tape's index, and how many of them are not done.
    private let passes: [Int]
    private var pending: [Int] = []
    /// Parameters of each bucket whose local gradient is not complete.
    private var incomplete: [Int] = []
    private var requests: [any CollectiveRequest] = []
    /// Elements whose sum was complete before `finish`, of the last step.
    private var hiddenElements = 0
    /// The first parameter, by the tape's index, whose complete local gradient was not finite: later it is lost in the sum.
    private(set) var nonFiniteParameter: Int?

    init(communicator: any Communicator, shards: ParameterShards, model: DualEncoder) {
        let parameters = model.parameters
        self.communicator = communicator
        self.shards = shards
        layout = parameters.trainable
        gradients = parameters.gradients
        self.parameters = parameters.trainableValues
        var places = [(bucket: Int, range: Range<Int>)?](repeating: nil, count: parameters.layout.entries.count)
        for (bucket, entries) in shards.entries.enumerated() {
            for entry in entries { places[parameters.trainableIndices[entry]] = (bucket, layout.entries[entry].range) }
        }
        self.places = places
        passes = places.indices.map { model.passes(addingTo: $0) }
    }

    /// Before a backward pass: no gradient is complete.
    func begin() {
        precondition(requests.isEmpty, "a gradient exchange is under way")
        incomplete = shards.entries.map(\.count)
        pending = passes
        nonFiniteParameter = nil
    }

    /// Tells that a pass will add nothing to a parameter's local gradient any more; the last of its passes completes it. Sends every
    /// bucket that this completes. Frozen parameters have no gradient to wait for.
    ///
    /// Which call sends a bucket depends on a rank's rows: no other collective may start between `begin`'s first bucket and `finish`.
    func finished(parameter: Int) throws {
        pending[parameter] -= 1
        guard pending[parameter] == 0, let bucket = places[parameter]?.bucket else { return }
        look(at: parameter)
        incomplete[bucket] -= 1
        while requests.count < incomplete.count, incomplete[requests.count] <= 0 { try sendNext() }
        // MPI moves on only inside its own calls.
        _ = try requests.last?.test()
    }

    /// Sends what is left (parameters that no local row touched) and waits for all: `gradients` then holds the sum over ranks in the
    /// ranges that this rank owns, and nothing of use elsewhere. *Collective.*
    func finish() throws {
        hiddenElements = 0
        for (bucket, request) in requests.enumerated() where try request.test() {
            hiddenElements += shards.buckets[bucket].count
        }
        if requests.count < shards.buckets.count {
            for parameter in pending.indices where pending[parameter] > 0 { look(at: parameter) }
            while requests.count < shards.buckets.count { try sendNext() }
        }
        for request in requests { try request.wait() }
        requests.removeAll(keepingCapacity: true)
    }

    /// The share of the gradient that had been summed over the ranks when backward ended, and so was not waited for; nil with one rank.
    var hiddenShare: Double? {
        communicator.size == 1 ? nil : Double(hiddenElements) / Double(max(1, layout.count))
    }

    /// Notes a parameter whose local gradient is not finite, while it is in cache.
    private func look(at parameter: Int) {
        guard nonFiniteParameter == nil, let range = places[parameter]?.range, !allFinite(gradients[range]) else {
            return
        }
        nonFiniteParameter = parameter
    }

    private func sendNext() throws {
        let bucket = requests.count
        requests.append(
            try communicator.start(
                .reduceScatter(
                    Payload(gradients[shards.buckets[bucket]]), counts: shards.counts(ofBucket: bucket),
                    into: Payload(gradients[shards.piece(ofBucket: bucket, rank: communicator.rank)]), .sum)))
    }

    /// After every rank has updated the parameters it owns: all parameters to all ranks. *Collective.*
    func gatherParameters() throws {
        guard communicator.size > 1 else { return }
        let inFlight = try shards.buckets.indices.map { bucket in
            try communicator.start(
                .allGather(
                    Payload(parameters[shards.piece(ofBucket: bucket, rank: communicator.rank)]),
                    counts: shards.counts(ofBucket: bucket), into: Payload(parameters[shards.buckets[bucket]])))
        }
        for request in inFlight { try request.wait() }
    }
}
