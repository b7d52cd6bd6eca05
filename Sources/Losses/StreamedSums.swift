// Sums of exponentials that never overflow, over any number of tiles and ranks. Not here: which logits.

import Buffers
import Collectives
import Foundation

/// Sums of exponentials, each relative to the largest exponent met so far.
struct StreamedSums {
    /// −∞ where nothing was added.
    private(set) var maxima: [Double]
    private var sums: [Double]

    init(count: Int) {
        maxima = Array(repeating: -.infinity, count: count)
        sums = Array(repeating: 0, count: count)
    }

    /// log Σ exp; −∞ of nothing.
    func logSum(_ index: Int) -> Double { sums[index] == 0 ? -.infinity : maxima[index] + log(sums[index]) }

    /// Adds logits whose largest is `maximum`; `sum` gives their exponentials' sum relative to a reference.
    mutating func add(maximum: Double, at index: Int, sum: (_ reference: Double) -> Double) {
        guard maximum > -.infinity || maximum.isNaN else { return }
        raise(to: maximum, at: index)
        sums[index] += sum(maxima[index])
    }

    /// Adds `sum` · exp(reference).
    mutating func add(sum: Double, reference: Double, at index: Int) {
        raise(to: reference, at: index)
        sums[index] += sum * exp(reference - maxima[index])
    }

    /// Adds `sum` = Σ exp(logit), relative to 0, of logits whose largest is `maximum`.
    mutating func add(sum: Double, maximum: Double, at index: Int) {
        guard maximum > -.infinity || maximum.isNaN else { return }
        raise(to: maximum, at: index)
        sums[index] += sum * exp(-maxima[index])
    }

    private mutating func raise(to maximum: Double, at index: Int) {
        guard maximum > maxima[index] else { return }
        sums[index] *= exp(maxima[index] - maximum)
        maxima[index] = maximum
    }

    /// Makes the sums those of all ranks, and returns all ranks' `own` values, of which this rank's begin at `first`. *Collective.*
    mutating func combine(own: [Double], at first: Int, _ communicator: any Communicator) throws -> [Double] {
        if communicator.size == 1 { return own }
        var values = maxima + Array(repeating: -.infinity, count: maxima.count)
        values.replaceSubrange(maxima.count + first..<maxima.count + first + own.count, with: own)
        let exchanged = Doubles(values)
        try communicator.allReduce(exchanged, .maximum)
        for index in maxima.indices { raise(to: exchanged[index], at: index) }
        let totals = Doubles(sums)
        try communicator.allReduce(totals)
        sums = totals.array
        return exchanged[maxima.count..<values.count].array
    }
}
