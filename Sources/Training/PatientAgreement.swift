// One outcome for all ranks of reading that takes far longer on one of them. Not here: outcomes that are quick (Collectives), who is stuck
// (Watchdog).

import Collectives
import Datasets
import Failures
import Foundation

/// As `agreed`, for a `body` that may take any time, and on one rank far longer than on another: one host has the data unpacked in its
/// cache, another has not. *Collective*; `body` runs on a thread, and is local.
///
/// The ranks ask one another now and then whether all are done, so that nobody waits long inside one collective, and no deadline is
/// missed while somebody gets on. A rank that has not done its part is its watchdog's to judge; one that has lets its own know that it
/// waits for others.
func agreedPatiently<Value: Sendable>(
    _ communicator: any Communicator, _ heartbeat: Heartbeat, _ body: @escaping @Sendable () throws -> Value
) throws -> Value {
    guard communicator.size > 1 else { return try agreed(communicator, body) }
    let work = Prefetcher(0...0, depth: 1) { _ in try body() }
    // When the ranks are lost to each other, this one must not wait for its own reading before it says so.
    defer { work.stop() }
    let longest = min(1, communicator.deadline / .seconds(1) / 10)
    var pause = 0.0005
    while true {
        let isDone = work.isReady
        if try communicator.isDoneEverywhere(isDone) { break }
        if isDone { heartbeat.beat(.start, step: heartbeat.state.step) }
        Thread.sleep(forTimeInterval: pause)
        pause = min(pause * 1.2, longest)
    }
    return try agreed(communicator) {
        guard let value = try work.next() else { throw Failure(.internal, "what was read is gone") }
        return value
    }
}
