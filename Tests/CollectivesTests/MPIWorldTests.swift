// The world of MPI ranks, through a program started by mpirun. Not here: threads (ThreadWorldTests.swift).

import Collectives
import CollectivesCases
import Failures
import Testing

/// How many collectives the table runs in a world of one size; counted once here, by hand from the table:
/// 5 types × 4 counts × (3 all-reduces + W broadcasts + 4 distributions × 2 places × (1 + 3) + barrier) + overlapping 10 + crossed 2 + edges 14.
private func tableSize(_ size: Int) -> Int { 5 * 4 * (3 + size + 4 * 2 * 4 + 1) + 10 + 2 + 14 }

@Suite(.serialized) struct MPIWorldTests {
    @Test(arguments: [1, 2, 3, 4], ["", "chunk=5"])
    func everyCollectiveMatchesTheDirectComputation(size: Int, chunk: String) throws {
        let run = try probe("table", chunk, ranks: size)
        // The bits of a sum that depends on the order of its terms are those of threads: rank order in both.
        let bits = try ThreadWorld.run(ranks: size) { digest(try orderedSumBits($0, count: 5000)) }
        #expect(Set(bits).count == 1)
        let expected = "ran \(Array(repeating: tableSize(size), count: size)) bits \(bits[0])\n"
        #expect(run.code == 0 && run.output == expected, "\(run)")
    }

    /// Over nodes of two and of three, where gathers and reductions cross once a node: what is copied, and sums of whole numbers, are the same.
    @Test(arguments: [(3, 2), (4, 2), (4, 3)], ["", "chunk=5"])
    func everyCollectiveMatchesOverNodes(shape: (size: Int, perNode: Int), chunk: String) throws {
        let (size, perNode) = shape
        let run = try probe(
            "table-nodes", chunk, ranks: size, environment: ["FANOISE_RANKS_PER_NODE": "\(perNode)"])
        let expected = "ran \(Array(repeating: tableSize(size), count: size)) bits "
        #expect(run.code == 0 && run.output.hasPrefix(expected), "\(run)")
    }

    @Test func checksDoNotDisturb() throws {
        let run = try probe("table", ranks: 3, environment: ["FANOISE_CHECK_COLLECTIVES": "1"])
        #expect(run.code == 0 && run.output.hasPrefix("ran [\(tableSize(3)), "), "\(run)")
    }

    @Test func describesItself() throws {
        let run = try probe("describe", "ranks=2", ranks: 2)
        #expect(run.code == 0 && run.output == "MPIWorld size 2 here 2 initialized true\n", "\(run)")
    }

    @Test(
        arguments: [
            ("throw", 65, 2, "row 17 of rank 2 is not finite"),
            ("stranger", 70, 2, "an error of no known kind"),
            ("throw-all", 78, nil, "noise.scalign is not a key"),
        ] as [(String, Int32, Int?, String)])
    func aFailingRankEndsTheJobWithItsCodeAndOneMessage(scenario: String, code: Int32, rank: Int?, message: String)
        throws
    {
        let run = try probe(scenario, ranks: 3)
        #expect(run.code == code && run.onlyMessage(rank: rank) == message, "\(run)")
        #expect(run.seconds < 10 * Double(patience), "a failure took \(run.seconds) s")
    }

    @Test func anotherNumberOfRanksThanTheLaunchersIsAUsageError() throws {
        let run = try probe("describe", "ranks=3", ranks: 2)
        #expect(run.code == 64 && run.output.isEmpty, "\(run)")
        #expect(run.onlyMessage() == "--ranks 3, but the launcher started 2; leave --ranks out under mpirun", "\(run)")
    }

    @Test func aSettingThatIsNoneIsReportedOnce() throws {
        let run = try probe("describe", ranks: 2, environment: ["FANOISE_DEADLINE": "soon"])
        #expect(
            run.code == 78 && run.onlyMessage() == "FANOISE_DEADLINE is 'soon', not a positive number of seconds",
            "\(run)")
    }

    @Test(
        arguments: [
            ("count", "ranks 0, 1: allReduce(sum) of 10 float32; rank 2: allReduce(sum) of 20 float32"),
            ("kind", "ranks 0, 1: allReduce(sum) of 10 float32; rank 2: barrier"),
            ("type", "ranks 0, 1: allReduce(sum) of 10 float32; rank 2: allReduce(sum) of 10 float64"),
            ("order", "ranks 0, 1: allReduce(maximum) of 1 float64; rank 2: broadcast(from rank 0) of 4 float32"),
            ("root", "ranks 0, 1: broadcast(from rank 0) of 4 float32; rank 2: broadcast(from rank 1) of 4 float32"),
        ])
    func checksNameTheRanksThatDisagree(scenario: String, said: String) throws {
        let run = try probe(scenario, "checks=1", "deadline=5", ranks: 3)
        #expect(run.code == 70 && run.onlyMessage() == "step 0: the ranks disagree on collective #1: \(said)", "\(run)")
    }

    @Test func countsThatDifferAreSeenWithoutChecks() throws {
        let run = try probe("count", "deadline=5", ranks: 2)
        #expect(run.code == 70, "\(run)")
        #expect(
            run.onlyMessage()?.contains(
                "where \(run.messages[0].hasPrefix("[rank 0") ? 10 : 20) elements were expected") == true, "\(run)")
    }
}

/// Memory that the ranks of a node share.
@Suite(.serialized) struct NodeMemoryTests {
    /// In one node, shared or not, bit for bit what threads get; over nodes of two, node by node; over nodes of one, rank by rank.
    @Test(
        arguments: [2, 3, 4], ["", "FANOISE_SHARED_MEMORY=0", "FANOISE_RANKS_PER_NODE=1", "FANOISE_RANKS_PER_NODE=2"])
    func collectivesOnNodeMemoryMatchTheDirectComputation(size: Int, setting: String) throws {
        let parts = setting.split(separator: "=").map(String.init)
        let environment = parts.count == 2 ? [parts[0]: parts[1]] : [:]
        let run = try probe("node", ranks: size, environment: environment)
        let perNode = setting.hasPrefix("FANOISE_RANKS") ? Int(parts[1]) ?? size : size
        let nodes = stride(from: 0, to: size, by: perNode).map { Array($0..<min($0 + perNode, size)) }
        #expect(run.code == 0 && run.output.hasPrefix("nodes \(nodes) bits "), "\(run)")
        guard perNode != 2 else { return }
        let bits = try ThreadWorld.run(ranks: size) { digest(try runNodeCases($0)) }
        #expect(Set(bits).count == 1 && run.output == "nodes \(nodes) bits \(bits[0])\n", "\(run)")
    }

    @Test(arguments: ["1", "0"], [3, 4]) func messagesAreCutAndCheckedHereToo(shared: String, size: Int) throws {
        let run = try probe(
            "node", "chunk=700", "checks=1", ranks: size,
            environment: [
                "FANOISE_RANKS_PER_NODE": "2", "FANOISE_SHARED_MEMORY": shared, "FANOISE_PROGRESS_THREAD": "1",
            ])
        #expect(run.code == 0, "\(run)")
    }

    @Test func aStoppedNeighbourIsNamed() throws {
        let run = try probe("node-sleep", ranks: 3, environment: ["FANOISE_DEADLINE": "1"])
        let expected = #/step 12: reduceScatter #\d+ of 4096 float32 waited … s; not arrived: rank 2 \(no answer\)/#
        #expect(run.code == 75 && run.onlyMessage()?.wholeMatch(of: expected) != nil, "\(run)")
        #expect(run.seconds < 12 * Double(patience), "a deadline of 1 s took \(run.seconds) s")
    }

    @Test func ranksThatReduceDifferentPlacesAreNamed() throws {
        let run = try probe("node-places", "deadline=5", ranks: 2)
        #expect(run.code == 70 && run.onlyMessage()?.contains("the ranks call different collectives") == true, "\(run)")
    }

    @Test(arguments: [
        ("FANOISE_SHARED_MEMORY", "yes"), ("FANOISE_RANKS_PER_NODE", "0"), ("FANOISE_PROGRESS_THREAD", "2"),
    ])
    func aVariableThatIsNoSettingIsAnError(name: String, value: String) {
        #expect { try CollectiveSettings.resolve(deadline: nil, checks: nil, environment: [name: value]) } throws: {
            ($0 as? Failure)?.kind == .configuration
        }
    }
}

/// Apart from the others, so that their waiting overlaps.
@Suite(.serialized) struct MPIDeadlineTests {
    @Test(
        arguments: [
            ("sleep", "step 12: allReduce #3 of 4096 float32 waited … s; not arrived: rank 2 (no answer)"),
            ("stop", "step 12: allReduce #3 of 4096 float32 waited … s; not arrived: rank 2 (no answer)"),
            (
                "stuck",
                "step 6: allReduce #2 of 10 float32 waited … s; not arrived: rank 1 (last seen in allGather #1, step 5), rank 2 (no answer)"
            ),
            (
                "early",
                "step 0: allReduce #2 of 8 float32 waited … s; not arrived: rank 2 (has ended, after 1 collectives)"
            ),
            ("kind", "step 0: allReduce #1 of 10 float32 waited … s; not arrived: rank 2 (is in barrier #1 instead)"),
        ])
    func theDeadlineNamesTheRanksThatHaveNotArrived(scenario: String, message: String) throws {
        let run = try probe(scenario, ranks: 3, environment: ["FANOISE_DEADLINE": "1"])
        #expect(run.code == 75 && run.onlyMessage() == message, "\(run)")
        #expect(run.seconds < 12 * Double(patience), "a deadline of 1 s took \(run.seconds) s")
    }
}

/// FNV-1a, as the probe prints it.
func digest(_ bits: [UInt32]) -> String {
    String(bits.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }, radix: 16)
}
