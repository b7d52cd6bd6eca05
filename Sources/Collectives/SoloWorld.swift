// The world of one rank: every collective is a copy or nothing.


/// One rank alone, W = 1: what runs without `mpirun`, in a debugger, and in most tests.
public final class SoloWorld: Communicator {
    public let rank = 0
    public let size = 1
    public let ranksOnThisHost = 1
    public var step = 0

    public init() {}

    public func start(_ collective: Collective) -> any CollectiveRequest {
        switch collective {
        case .allGather(let local, _, let result), .reduceScatter(let local, _, let result, _):
            precondition(local.count == result.count, "a world of one gathers \(local.count) elements into \(result.count)")
            if local.address != result.address { result.address.copyMemory(from: local.address, byteCount: local.count * local.type.byteCount) }
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
