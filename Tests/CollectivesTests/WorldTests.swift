// The entry point without mpirun, and settings from the environment. Not here: under mpirun (MPIWorldTests.swift).

import Collectives
import Failures
import Testing

@Suite(.serialized) struct WorldTests {
    @Test(
        arguments: [
            ("describe", "", 0, "SoloWorld size 1 here 1 initialized false\n", ""),
            ("describe", "ranks=1", 0, "SoloWorld size 1 here 1 initialized false\n", ""),
            ("describe", "ranks=3", 0, "ThreadWorld size 3 here 3 initialized false\n", ""),
            ("describe", "ranks=0", 64, "", "CollectivesProbe: a world of 0 ranks: --ranks must be at least 1"),
            ("throw-all", "", 78, "", "CollectivesProbe: noise.scalign is not a key"),
            ("stranger", "", 70, "", "CollectivesProbe: an error of no known kind"),
        ] as [(String, String, Int32, String, String)])
    func withoutALauncherMPIIsNeverInitialised(
        scenario: String, option: String, code: Int32, output: String, message: String
    ) throws {
        let run = try probe(scenario, option)
        #expect(run.code == code && run.output == output && run.messages.joined() == message, "\(run)")
    }

    @Test(
        arguments: [
            ("throw", "deadline=9", 65, 2, "row 17 of rank 2 is not finite"),
            (
                "sleep", "deadline=0.2", 75, nil,
                "step 12: allReduce #3 of 4096 float32 waited … s; not arrived: rank 2 (last seen in allGather #2, step 11)"
            ),
        ] as [(String, String, Int32, Int?, String)])
    func aFailingThreadEndsTheProcess(scenario: String, deadline: String, code: Int32, rank: Int?, message: String)
        throws
    {
        let run = try probe(scenario, "ranks=3", deadline)
        #expect(run.code == code && run.onlyMessage(rank: rank) == message, "\(run)")
        #expect(run.seconds < 8 * Double(patience), "a rank that sleeps for 30 s was waited for: \(run.seconds) s")
    }

    @Test func exitCodesOfErrors() {
        struct Other: Error {}
        for kind in Failure.Kind.allCases { #expect(World.exitCode(of: Failure(kind, "x")) == kind.rawValue) }
        #expect(World.exitCode(of: CollectiveError(.deadline, "x")) == 75)
        #expect(World.exitCode(of: CollectiveError(.lostPeer, "x")) == 75)
        #expect(World.exitCode(of: CollectiveError(.disagreement, "x")) == 70)
        #expect(World.exitCode(of: CollectiveError(.transport, "x")) == 70)
        #expect(World.exitCode(of: Other()) == 70)
    }

    @Test func argumentsGoBeforeTheEnvironmentAndThatBeforeDefaults() throws {
        let environment = ["FANOISE_DEADLINE": "1.5", "FANOISE_CHECK_COLLECTIVES": "1"]
        let given = try CollectiveSettings.resolve(deadline: .seconds(7), checks: false, environment: environment)
        #expect(given.deadline == .seconds(7) && !given.checks)
        let fromEnvironment = try CollectiveSettings.resolve(deadline: nil, checks: nil, environment: environment)
        #expect(fromEnvironment.deadline == .seconds(1.5) && fromEnvironment.checks)
        let defaults = try CollectiveSettings.resolve(deadline: nil, checks: nil, environment: [:])
        #expect(defaults.deadline == .seconds(300) && !defaults.checks)
    }

    @Test(arguments: [
        ("FANOISE_DEADLINE", "0"), ("FANOISE_DEADLINE", "nan"), ("FANOISE_DEADLINE", ""),
        ("FANOISE_CHECK_COLLECTIVES", "yes"),
    ])
    func aVariableThatIsNoSettingIsAnError(name: String, value: String) {
        #expect { try CollectiveSettings.resolve(deadline: nil, checks: nil, environment: [name: value]) } throws: {
            ($0 as? Failure)?.kind == .configuration
        }
    }
}
