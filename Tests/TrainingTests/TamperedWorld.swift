// A communicator that does what it is asked, but changes what goes in or comes out: planted faults. Not here: collectives.

import Buffers
import Collectives

/// Stands between a rank and its world, and may change what the rank sends or receives.
final class TamperedWorld: Communicator {
    private let world: any Communicator
    /// Called with each collective before it starts.
    private let before: (Collective, any Communicator) -> Void
    /// Called with each once it has been waited for.
    private let after: (Collective, any Communicator) -> Void

    init(
        _ world: any Communicator, before: @escaping (Collective, any Communicator) -> Void = { _, _ in },
        after: @escaping (Collective, any Communicator) -> Void = { _, _ in }
    ) {
        (self.world, self.before, self.after) = (world, before, after)
    }

    var rank: Int { world.rank }
    var size: Int { world.size }
    var ranksOnThisHost: Int { world.ranksOnThisHost }
    var deadline: Duration { world.deadline }
    var step: Int {
        get { world.step }
        set { world.step = newValue }
    }

    func start(_ collective: Collective) throws -> any CollectiveRequest {
        before(collective, world)
        return Request(request: try world.start(collective)) { [after, world] in after(collective, world) }
    }

    private final class Request: CollectiveRequest {
        let request: any CollectiveRequest
        let after: () -> Void

        init(request: any CollectiveRequest, after: @escaping () -> Void) {
            (self.request, self.after) = (request, after)
        }

        func test() throws -> Bool { try request.test() }
        func wait() throws {
            try request.wait()
            after()
        }
    }
}

extension Payload {
    /// The elements, if they are of this type.
    func elements<Element: CollectiveElement>(_: Element.Type) -> UnsafeMutableBufferPointer<Element>? {
        guard type == Element.elementType else { return nil }
        return UnsafeMutableBufferPointer(start: address.assumingMemoryBound(to: Element.self), count: count)
    }
}
