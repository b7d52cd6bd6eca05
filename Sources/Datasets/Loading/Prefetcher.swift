// A thread that works ahead. Not here: what it makes (BatchLoader).

import Foundation

/// Makes the elements of a range in order on a thread of its own, at most `depth` of them ahead of who takes them.
///
/// The thread lives until the last element is made, an error occurs or `stop()` is called; it holds this object, so whoever owns it
/// must stop it.
package final class Prefetcher<Element: Sendable>: @unchecked Sendable {
    // Everything mutable is used under `condition` alone.
    private let condition = NSCondition()
    private var ready: [Result<Element, any Error>] = []
    private var isStopped = false
    private var isRunning = true

    /// - Parameter make: called on the thread, once for each index, in order.
    package init(_ range: ClosedRange<Int>, depth: Int, make: @escaping @Sendable (Int) throws -> Element) {
        precondition(depth > 0, "a depth of \(depth)")
        let thread = Thread { self.run(range, depth: depth, make: make) }
        thread.name = "fanoise data"
        thread.start()
    }

    private func run(_ range: ClosedRange<Int>, depth: Int, make: (Int) throws -> Element) {
        for index in range {
            condition.lock()
            while ready.count >= depth, !isStopped { condition.wait() }
            let stop = isStopped
            condition.unlock()
            if stop { break }
            let result = Result { try make(index) }
            condition.lock()
            ready.append(result)
            condition.broadcast()
            condition.unlock()
            if case .failure = result { break }
        }
        condition.lock()
        isRunning = false
        condition.broadcast()
        condition.unlock()
    }

    /// Whether `next()` would not wait for an element.
    package var isReady: Bool {
        condition.lock()
        defer { condition.unlock() }
        return !ready.isEmpty
    }

    /// The next element, as soon as it is made; nil after the last one and after `stop()`.
    /// - Throws: what `make` threw, now and at every later call.
    package func next() throws -> Element? {
        condition.lock()
        defer { condition.unlock() }
        while ready.isEmpty, isRunning { condition.wait() }
        guard let first = ready.first else { return nil }
        if case .success = first { ready.removeFirst() }
        condition.broadcast()
        return try first.get()
    }

    /// Ends the work; returns when nothing is being made any more, or after a second: a read may never return, and whoever reports
    /// another failure must not wait for it.
    package func stop() {
        condition.lock()
        defer { condition.unlock() }
        isStopped = true
        condition.broadcast()
        let limit = Date(timeIntervalSinceNow: 1)
        while isRunning, condition.wait(until: limit) {}
        ready.removeAll()
    }
}
