// A communicator that does what it is asked, after its caller's data have been changed: planted faults. Not here: collectives.

import Buffers
import Collectives

/// Stands between a rank and its world, and may change what the rank sends.
final class TamperedWorld: Communicator {
    private let world: any Communicator
    /// Called with each collective before it starts.
    private let tamper: (Collective, any Communicator) -> Void

    init(_ world: any Communicator, _ tamper: @escaping (Collective, any Communicator) -> Void) {
        self.world = world
        self.tamper = tamper
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
        tamper(collective, world)
        return try world.start(collective)
    }
}

extension Payload {
    /// The elements, if they are of this type.
    func elements<Element: CollectiveElement>(_: Element.Type) -> UnsafeMutableBufferPointer<Element>? {
        guard type == Element.elementType else { return nil }
        return UnsafeMutableBufferPointer(start: address.assumingMemoryBound(to: Element.self), count: count)
    }
}
