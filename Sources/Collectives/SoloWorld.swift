// The world of one rank: every collective is a copy or nothing. Not here: threads (ThreadWorld.swift), MPI (MPIWorld.swift).

/// One rank alone, W = 1: what runs without `mpirun`, in a debugger, and in most tests.
public final class SoloWorld: Communicator {
    public let rank = 0
    public let size = 1
    public let ranksOnThisHost = 1
    public let deadline: Duration
    public var step = 0

    public init(deadline: Duration = CollectiveSettings().deadline) { self.deadline = deadline }

    public func start(_ collective: Collective) -> any CollectiveRequest {
        collective.validate(rank: rank, size: size)
        switch collective {
        case .allGather(let source, _, let result), .reduceScatter(let source, _, let result, _):
            if source.address != result.address {
                result.address.copyMemory(from: source.address, byteCount: source.count * source.type.byteCount)
            }
        case .allReduce, .broadcast, .barrier: break
        }
        return FinishedRequest()
    }
}

/// A request that was complete when it was made.
final class FinishedRequest: CollectiveRequest {
    func test() -> Bool { true }
    func wait() {}
}
