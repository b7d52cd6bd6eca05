// What a rank may ask of the others. Not here: how it travels (SoloWorld, ThreadWorld, MPIWorld).

public import Buffers

/// Element types that collectives carry.
public enum ElementType: Int32, Sendable {
    case float32, float64, int32, int64, uint8

    public var byteCount: Int {
        switch self {
        case .uint8: 1
        case .float32, .int32: 4
        case .float64, .int64: 8
        }
    }
}

/// A Swift type that collectives carry.
public protocol CollectiveElement: BitwiseCopyable {
    static var elementType: ElementType { get }
}

extension Float: CollectiveElement { public static var elementType: ElementType { .float32 } }
extension Double: CollectiveElement { public static var elementType: ElementType { .float64 } }
extension Int32: CollectiveElement { public static var elementType: ElementType { .int32 } }
extension Int64: CollectiveElement { public static var elementType: ElementType { .int64 } }
extension UInt8: CollectiveElement { public static var elementType: ElementType { .uint8 } }

/// How the values of the ranks become one: folded in rank order, so that all ranks, all runs and all worlds of one size get the
/// same bits; a reduce-scatter over several nodes is folded in rank order within each node, then in the order of the nodes (of nodes that
/// `FANOISE_RANKS_PER_NODE` makes of one host, from the first `nodeMemory` on).
/// Integer sums wrap; minimum and maximum are NaN when any rank's value is.
public enum Reduction: Int32, Sendable { case sum, minimum, maximum }

/// A typed region taking part in a collective; holds its memory until the request is done.
public struct Payload: @unchecked Sendable {
    public let memory: Memory
    public let address: UnsafeMutableRawPointer
    public let count: Int
    public let type: ElementType

    public init<Element: CollectiveElement>(_ buffer: Buffer<Element>) {
        memory = buffer.memory
        address = UnsafeMutableRawPointer(buffer.base)
        count = buffer.count
        type = Element.elementType
    }

    /// A part of memory that holds elements of a type known only when the program runs.
    init(memory: Memory, address: UnsafeMutableRawPointer, count: Int, type: ElementType) {
        (self.memory, self.address, self.count, self.type) = (memory, address, count, type)
    }
}

/// One collective, as every rank must state it: same kind, same counts, same order.
public enum Collective: Sendable {
    /// In place: every rank ends with the reduction of all.
    case allReduce(Payload, Reduction)
    /// Rank r contributes `counts[r]` elements; every rank ends with all of them, in rank order. The contribution may already lie
    /// in its place of the result.
    case allGather(Payload, counts: [Int], into: Payload)
    /// Element-wise reduction of equal-sized inputs; rank r ends with its `counts[r]` elements of it. The input may be overwritten;
    /// the result may be this rank's part of the input, or lies elsewhere.
    case reduceScatter(Payload, counts: [Int], into: Payload, Reduction)
    /// Everybody ends with the root's elements.
    case broadcast(Payload, root: Int)
    /// Nobody leaves before all have come.
    case barrier
}

/// A collective under way. Its buffers belong to it until `wait()` returns: what it only sends may be read meanwhile, nothing written.
public protocol CollectiveRequest: AnyObject {
    /// Moves this and all other operations under way on without blocking; true when this one is complete. Nothing moves between
    /// hosts unless a rank calls this now and then, or waits. Has no deadline.
    func test() throws -> Bool
    /// Blocks until the operation is complete, or its deadline has passed.
    func wait() throws
}

/// The ranks of one job, as one of them sees them. Every call is *collective*: all ranks make the same calls in the same order.
///
/// Several collectives may be under way at once; they are started in the same order on all ranks and may be waited for in any.
/// Stays on the thread that was given it. All calls throw `CollectiveError`; after one, the world is of no further use.
public protocol Communicator: AnyObject {
    /// This rank, 0 ..< size.
    var rank: Int { get }
    /// World size W ≥ 1.
    var size: Int { get }
    /// Ranks that share this machine with this one, itself included.
    var ranksOnThisHost: Int { get }
    /// The ranks of each node, ascending; nodes in the order of their first ranks. Ranks of a node share a machine's memory.
    var nodes: [[Int]] { get }
    /// Whether the ranks are threads of one process.
    var sharesProcess: Bool { get }
    /// Why the ranks of a node do not share memory although they might, in one sentence, once that has been tried and failed.
    var sharingRefusal: String? { get }
    /// How long a rank waits for the others, and how long it may itself get nowhere.
    var deadline: Duration { get }
    /// The training step, for messages; set by the caller.
    var step: Int { get set }
    /// Starts a collective and returns at once; its buffers belong to it until `wait()` returns. Every request must be waited
    /// for before the job ends.
    /// - Precondition: counts fit the buffers: see `Collective`.
    func start(_ collective: Collective) throws -> any CollectiveRequest
    /// Memory for a buffer that collectives will use for long, shared with this rank's neighbours where that can be. *Collective*: same
    /// kind and size on every rank. Contents are undefined.
    func nodeMemory(_ kind: NodeMemoryKind, byteCount: Int) throws -> NodeMemory
}

extension Communicator {
    /// Sum, minimum or maximum over ranks, in place.
    public func allReduce<Element: CollectiveElement>(_ values: Buffer<Element>, _ reduction: Reduction = .sum) throws {
        try start(.allReduce(Payload(values), reduction)).wait()
    }

    /// The reduction of one number over ranks.
    public func allReduce(_ value: Double, _ reduction: Reduction = .sum) throws -> Double {
        let buffer = Doubles([value])
        try allReduce(buffer, reduction)
        return buffer[0]
    }

    /// Equal contributions: `result.count == size * local.count`.
    public func allGather<Element: CollectiveElement>(_ local: Buffer<Element>, into result: Buffer<Element>) throws {
        try allGather(local, counts: Array(repeating: local.count, count: size), into: result)
    }

    /// Contributions of `counts[r]` elements, in rank order; `counts` is the same on every rank.
    public func allGather<Element: CollectiveElement>(
        _ local: Buffer<Element>, counts: [Int], into result: Buffer<Element>
    ) throws {
        try start(.allGather(Payload(local), counts: counts, into: Payload(result))).wait()
    }

    /// One number of every rank, in rank order.
    public func allGather(_ value: Int) throws -> [Int] {
        let result = Buffer<Int64>(count: size)
        try allGather(Buffer<Int64>([Int64(value)]), into: result)
        return result.array.map { Int($0) }
    }

    /// Reduces `values` over ranks; this rank receives its `counts[rank]` elements. `values` may be overwritten.
    public func reduceScatter<Element: CollectiveElement>(
        _ values: Buffer<Element>, counts: [Int], into result: Buffer<Element>, _ reduction: Reduction = .sum
    ) throws {
        try start(.reduceScatter(Payload(values), counts: counts, into: Payload(result), reduction)).wait()
    }

    /// The root's elements to everybody.
    public func broadcast<Element: CollectiveElement>(_ values: Buffer<Element>, root: Int = 0) throws {
        try start(.broadcast(Payload(values), root: root)).wait()
    }

    /// Nobody leaves before all have come.
    public func barrier() throws { try start(.barrier).wait() }
}
