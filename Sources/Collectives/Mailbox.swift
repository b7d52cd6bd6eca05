// Messages under way for one stage of one collective. Not here: which messages (Schedules.swift), how long to wait (MPIWorld.swift).

private import CMPI

extension ElementType {
    fileprivate var mpi: cmpi_type {
        switch self {
        case .float32: CMPI_FLOAT32
        case .float64: CMPI_FLOAT64
        case .int32: CMPI_INT32
        case .int64: CMPI_INT64
        case .uint8: CMPI_UINT8
        }
    }
}

/// A communicator's handle: typed here, opaque elsewhere.
struct MPIGroup {
    fileprivate let handle: cmpi_comm

    /// A duplicate of the world: messages in it meet no others.
    init() throws {
        var comm: cmpi_comm?
        try check(cmpi_comm_duplicate_world(&comm), "MPI_Comm_dup")
        guard let comm else { throw CollectiveError(.transport, "MPI_Comm_dup gave no communicator") }
        handle = comm
    }

    func rank() throws -> Int { try number("MPI_Comm_rank", cmpi_comm_rank) }
    func size() throws -> Int { try number("MPI_Comm_size", cmpi_comm_size) }
    /// The lowest rank of this node. Blocks without deadline: for start-up alone.
    func nodeLeader() throws -> Int { try number("MPI_Comm_split_type", cmpi_comm_shared_leader) }

    private func number(_ name: StaticString, _ call: (cmpi_comm?, UnsafeMutablePointer<Int32>?) -> Int32) throws -> Int
    {
        var value: Int32 = 0
        try check(call(handle, &value), name)
        return Int(value)
    }

    /// Equal numbers of bytes of every rank, in rank order. Blocks without deadline: for start-up alone.
    func gatherBytes(_ mine: [UInt8], size: Int) throws -> [UInt8] {
        var all = [UInt8](repeating: 0, count: mine.count * size)
        try check(cmpi_allgather_bytes(mine, &all, Int32(mine.count), handle), "MPI_Allgather")
        return all
    }

    /// The sender of a message with this tag, when one waits.
    func probe(tag: Int32) throws -> Int32? {
        var waits: Int32 = 0
        var source: Int32 = 0
        try check(cmpi_iprobe_any(tag, handle, &waits, &source), "MPI_Iprobe")
        return waits != 0 ? source : nil
    }

    /// Takes a message of `count` words that `probe` has announced.
    func receiveWords(_ count: Int, from source: Int32, tag: Int32) throws -> [Int64] {
        var words = [Int64](repeating: 0, count: count)
        try check(cmpi_recv(&words, Int32(count), CMPI_INT64, source, tag, handle), "MPI_Recv")
        return words
    }
}

/// Point-to-point messages and library collectives posted together and complete together.
///
/// Addresses given to it must stay valid until `isEmpty`.
struct Mailbox {
    private struct Receipt {
        let index: Int
        let source: Int
        let count: Int32
        let type: cmpi_type
    }

    private var requests: [cmpi_request?] = []
    private var statuses: [cmpi_status] = []
    private var receipts: [Receipt] = []

    /// Whether everything posted is complete.
    var isEmpty: Bool { requests.isEmpty }

    mutating func send(
        _ address: UnsafeRawPointer, _ count: Int, _ type: ElementType, to destination: Int, tag: Int32,
        _ group: MPIGroup
    ) throws {
        try post("MPI_Isend") { cmpi_isend(address, Int32(count), type.mpi, Int32(destination), tag, group.handle, $0) }
    }

    mutating func receive(
        _ address: UnsafeMutableRawPointer, _ count: Int, _ type: ElementType, from source: Int, tag: Int32,
        _ group: MPIGroup
    ) throws {
        receipts.append(Receipt(index: requests.count, source: source, count: Int32(count), type: type.mpi))
        try post("MPI_Irecv") { cmpi_irecv(address, Int32(count), type.mpi, Int32(source), tag, group.handle, $0) }
    }

    /// Library collective: post it in the order in which collectives start, on all ranks.
    mutating func broadcast(
        _ address: UnsafeMutableRawPointer, _ count: Int, _ type: ElementType, root: Int, _ group: MPIGroup
    ) throws {
        try post("MPI_Ibcast") { cmpi_ibcast(address, Int32(count), type.mpi, Int32(root), group.handle, $0) }
    }

    /// Library collective: post it in the order in which collectives start, on all ranks.
    mutating func barrier(_ group: MPIGroup) throws { try post("MPI_Ibarrier") { cmpi_ibarrier(group.handle, $0) } }

    private mutating func post(_ name: StaticString, _ call: (UnsafeMutablePointer<cmpi_request?>) -> Int32) throws {
        var request: cmpi_request?
        try check(call(&request), name)
        requests.append(request)
    }

    /// Lets MPI work, without blocking; when all messages are complete, checks what came and forgets them.
    mutating func test() throws {
        guard !requests.isEmpty else { return }
        while statuses.count < requests.count { statuses.append(cmpi_status()) }
        var done: Int32 = 0
        let code = cmpi_test_all(Int32(requests.count), &requests, &done, &statuses)
        if code == cmpi_error_in_status { try throwFirstFault() }
        try check(code, "MPI_Testall")
        guard done != 0 else { return }
        for receipt in receipts {
            var count: Int32 = 0
            try check(cmpi_status_count(&statuses[receipt.index], receipt.type, &count), "MPI_Get_count")
            if count != receipt.count { throw Self.mismatch(receipt.source, "\(count)", receipt.count) }
        }
        requests.removeAll(keepingCapacity: true)
        receipts.removeAll(keepingCapacity: true)
    }

    private mutating func throwFirstFault() throws {
        for receipt in receipts {
            var status = statuses[receipt.index]
            let code = cmpi_status_error(&status)
            // A message longer than its place: MPI says how long it was, or nothing.
            if code != cmpi_success {
                throw Self.mismatch(receipt.source, "more, or nothing (\(errorText(code)))", receipt.count)
            }
        }
    }

    private static func mismatch(_ source: Int, _ came: String, _ expected: Int32) -> CollectiveError {
        CollectiveError(
            .disagreement,
            "rank \(source) sent \(came) where \(expected) elements were expected: the ranks call different collectives; "
                + "FANOISE_CHECK_COLLECTIVES=1 names them")
    }
}
