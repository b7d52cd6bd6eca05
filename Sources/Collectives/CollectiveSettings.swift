// What a world can be told. Not here: how it acts on it (RollCall.swift, Schedules.swift).

import Failures
import Foundation

/// Settings of a world, equal on all ranks.
public struct CollectiveSettings: Sendable {
    /// How long a rank waits inside one collective before it says who is missing; 300 s unless told otherwise.
    public var deadline: Duration
    /// Whether every collective is first compared between ranks (kind, type, counts, root, order). Under MPI this makes
    /// `start` wait for the other ranks' `start`; `ThreadWorld` always compares, because there it costs nothing.
    public var checks: Bool
    /// Whether ranks of one node share memory where they can; equal on all ranks.
    public var sharesMemory = true
    /// At most so many ranks of a machine, consecutive ones, are one node; nil for all of them.
    public var ranksPerNode: Int?
    /// Whether a thread moves collectives on while the ranks compute: nil for where they span several nodes.
    public var progresses: Bool?
    /// Most elements of one message or of one call of MPI, whose counts are `int`; smaller in tests.
    public var chunk: Int

    /// The longest deadline a user may ask for, in seconds: 32 years, and every sum of a few of them is a `Duration`.
    public static let longestDeadline = 1e9

    /// - Precondition: `deadline` > 0; 1 ≤ `chunk` ≤ 2³¹ − 1.
    public init(deadline: Duration = .seconds(300), checks: Bool = false, chunk: Int = 1 << 28) {
        precondition(deadline > .zero, "deadline \(deadline) is not positive")
        precondition(chunk >= 1 && chunk <= Int(Int32.max), "chunk \(chunk) is not in 1...\(Int32.max)")
        self.deadline = deadline
        self.checks = checks
        self.chunk = chunk
    }

    /// The given values, else those of `FANOISE_DEADLINE` (seconds), `FANOISE_CHECK_COLLECTIVES`, `FANOISE_SHARED_MEMORY` and
    /// `FANOISE_PROGRESS_THREAD` (0 or 1), `FANOISE_RANKS_PER_NODE` (a number), else the defaults.
    /// - Throws: `Failure(.configuration)` when a variable is neither; `Failure(.usage)` when `deadline` is not positive.
    public static func resolve(
        deadline: Duration?, checks: Bool?, environment given: [String: String]? = nil
    ) throws -> CollectiveSettings {
        let environment = given ?? ProcessInfo.processInfo.environment
        var settings = CollectiveSettings()
        if let deadline {
            guard deadline > .zero else { throw Failure(.usage, "the deadline \(deadline) is not positive") }
            settings.deadline = deadline
        } else if let text = environment["FANOISE_DEADLINE"] {
            // A positive number may still be too small for a Duration.
            guard let seconds = Double(text), seconds > 0,
                seconds > longestDeadline || Duration.seconds(seconds) > .zero
            else {
                throw Failure(.configuration, "FANOISE_DEADLINE is '\(text)', not a positive number of seconds")
            }
            guard seconds <= longestDeadline else {
                throw Failure(.configuration, "FANOISE_DEADLINE is '\(text)', more than 1e9 seconds")
            }
            settings.deadline = .seconds(seconds)
        }
        settings.checks = try checks ?? flag("FANOISE_CHECK_COLLECTIVES", environment) ?? settings.checks
        settings.sharesMemory = try flag("FANOISE_SHARED_MEMORY", environment) ?? settings.sharesMemory
        if let text = environment["FANOISE_RANKS_PER_NODE"] {
            guard let count = Int(text), count >= 1 else {
                throw Failure(.configuration, "FANOISE_RANKS_PER_NODE is '\(text)', not a positive number of ranks")
            }
            settings.ranksPerNode = count
        }
        settings.progresses = try flag("FANOISE_PROGRESS_THREAD", environment)
        return settings
    }

    private static func flag(_ name: String, _ environment: [String: String]) throws -> Bool? {
        guard let text = environment[name] else { return nil }
        guard text == "0" || text == "1" else {
            throw Failure(.configuration, "\(name) is '\(text)', neither 0 nor 1")
        }
        return text == "1"
    }
}

/// Time spent waiting, as a waiting rank counts it: time in which this process was itself stopped or the machine asleep
/// does not count (at most a second from one look at the clock to the next), so a rank that is continued does not give up at once.
struct Patience {
    private(set) var waited = Duration.zero
    private var last = ContinuousClock.now

    /// Counts the time since the last call.
    mutating func look() -> Duration {
        let now = ContinuousClock.now
        waited += min(now - last, .seconds(1))
        last = now
        return waited
    }
}

extension Duration {
    /// Seconds, for messages: `10 s`, `0.5 s`.
    var text: String {
        let seconds = (Double(components.seconds) + Double(components.attoseconds) * 1e-18) * 10
        let rounded = seconds.rounded() / 10
        return rounded == rounded.rounded() ? "\(Int(rounded)) s" : "\(rounded) s"
    }
}
