// What launch/supervise and launch/slurm decide, with programs in place of fanoise, mpirun and srun. Not here: whole jobs (Tests/Faults).

import Foundation
import Testing

@Suite struct LauncherTests {
    /// A folder `bin` of stand-ins, first on the path, and a run's folder.
    private struct Stage {
        let folder: TemporaryFolder
        var run: String { folder.file("run") }

        /// - Parameters:
        ///   - job: the shell words of mpirun or srun; `$run` is the run's folder, `$PPID` the launcher.
        init(_ job: String) throws {
            folder = try TemporaryFolder()
            for name in ["bin", "run/checkpoints/step-00000010"] {
                try FileManager.default.createDirectory(atPath: folder.file(name), withIntermediateDirectories: true)
            }
            // Asked for the run's folder alone.
            try script("fanoise", "echo \(folder.file("run"))")
            for name in ["mpirun", "srun"] { try script(name, "run=\(folder.file("run"))\n\(job)") }
            try script("scontrol", "touch \(folder.file("requeued"))")
        }

        func script(_ name: String, _ body: String) throws {
            let path = folder.file("bin/\(name)")
            try Data("#!/bin/bash\n\(body)\n".utf8).write(to: URL(fileURLWithPath: path))
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        }

        /// Exit code and standard error of a launcher.
        func launch(
            _ name: String, _ arguments: [String], environment additions: [String: String] = [:]
        ) throws -> (code: Int32, errors: String) {
            let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent()
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            // A thread of the pool blocks signals, and what it starts inherits that.
            let limit = ["--default-signal", "timeout", "-k", "5", "\(40 * Program.patience)"]
            process.arguments = limit + [root.appending(path: "launch/\(name)").path] + arguments
            var environment = ProcessInfo.processInfo.environment.filter {
                !$0.key.hasPrefix("FANOISE_") && !$0.key.hasPrefix("SLURM_")
            }
            environment["FANOISE"] = folder.file("bin/fanoise")
            environment["PATH"] = "\(folder.file("bin")):\(environment["PATH"] ?? "/usr/bin:/bin")"
            if name == "slurm" { environment["SLURM_JOB_ID"] = "1" }
            environment.merge(additions) { $1 }
            process.environment = environment
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = FileHandle.nullDevice
            let errors = Pipe()
            process.standardError = errors
            try process.run()
            let said = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            return (process.terminationStatus, said)
        }

        /// A file of hosts, all of which answer unless `agent`, shell words with the host's name as `$1`, says otherwise.
        func hosts(_ text: String, agent: String = "exit 0") throws -> [String] {
            try script("agent", agent)
            try Data(text.utf8).write(to: URL(fileURLWithPath: folder.file("hosts")))
            return ["--hosts", folder.file("hosts"), "--agent", folder.file("bin/agent")]
        }

        func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(run)/\(name)") }

        var isRequeued: Bool { folder.contents.contains("requeued") }
    }

    /// Every attempt would begin at the same place.
    @Test(arguments: ["supervise", "slurm"], [["--resume", "never"], ["--resume=runs/x/checkpoints/step-00000200"]])
    func onlyTheNewestCheckpointIsGoneOnFrom(_ launcher: String, _ words: [String]) throws {
        let stage = try Stage("touch $run/started; exit 78")
        let outcome = try stage.launch(launcher, ["train", "--config", "x.yaml"] + words)
        #expect(outcome.code == 64 && outcome.errors.contains("go on here with --resume auto"), "\(outcome.errors)")
        #expect(!FileManager.default.fileExists(atPath: "\(stage.run)/started"))
        let automatic = try stage.launch(launcher, ["train", "--resume", "auto", "--config", "x.yaml"])
        #expect(automatic.code == 78, "\(automatic.errors)")
    }

    /// An earlier attempt's heartbeat is gone before ranks start, and a start-up that renews its own may outlast the limit.
    @Test func aStartUpMayTakeAnyTime() throws {
        let stage = try Stage(
            "[ ! -e $run/heartbeat.json ] || exit 78\n"
                + "for turn in 1 2 3 4 5 6 7 8; do sleep 0.5; echo $turn >$run/heartbeat.json; done; touch $run/done.json"
        )
        try Data("{}".utf8).write(to: URL(fileURLWithPath: "\(stage.run)/heartbeat.json"))
        let outcome = try stage.launch(
            "supervise", ["--ranks", "1", "--stale", "2", "--attempts", "1", "train", "--config", "x.yaml"])
        #expect(outcome.code == 0, "\(outcome.errors)")
    }

    /// What is not training is not supervised: it makes no folder, and is not started again.
    @Test(arguments: ["--help", "-h", "--version", "--help-config"]) func questionsAreAnswered(_ word: String) throws {
        let stage = try Stage("touch $run/started")
        try stage.script("fanoise", "[ \"$*\" = 'train \(word)' ] && exit 3; echo $run")
        #expect(try stage.launch("supervise", ["train", word]).code == 3)
        #expect(!stage.has("started"))
    }

    /// A last line without an end is a line.
    @Test func everyHostOfTheFileIsAsked() throws {
        let stage = try Stage("printf '%s ' \"$@\" >$run/words; touch $run/done.json")
        let hosts = try stage.hosts("# hosts\none slots=2\n\ntwo slots=3")
        let outcome = try stage.launch("supervise", hosts + ["train", "--config", "x.yaml"])
        #expect(outcome.code == 0 && !outcome.errors.contains("no answer"), "\(outcome.errors)")
        #expect(try String(contentsOfFile: "\(stage.run)/words", encoding: .utf8).hasPrefix("-n 5 "))
    }

    /// Lines that mpirun refuses in words of its own, or takes for another number of slots.
    @Test(arguments: [
        ("one slots=2\r\n", "line 1: a carriage return"), ("one\n\ntwo slots = 3\n", "line 3: \"slots\""),
        ("one count=3\n", "\"count=3\" is not understood"), ("one,slots=3\n", "one,slots=3 is no name"),
        ("one slots=2\ntwo\none slots=2\n", "lines 1 and 3: one twice"), ("# one\n", "names no host"),
        ("one max_slots=2\n", "a bound without slots"),
    ]) func aWrongHostFileIsRefused(_ text: String, _ complaint: String) throws {
        let stage = try Stage("touch $run/started")
        let hosts = try stage.hosts(text)
        for launcher in ["mpi", "supervise"] {
            let outcome = try stage.launch(launcher, hosts + ["train", "--config", "x.yaml"])
            #expect(outcome.code == 65 && outcome.errors.contains(complaint), "\(outcome.errors)")
        }
        #expect(!stage.has("started"))
    }

    /// A signal before there is a job: none is started.
    @Test func aSignalBetweenAttemptsStopsToo() throws {
        let stage = try Stage("touch $run/started; sleep 20")
        // The launcher is the parent of the shell in which timeout runs the agent.
        let parent = #"awk '{ print $4 }' /proc/"#
        let hosts = try stage.hosts(
            "one\ntwo\n",
            agent: "[ $1 = two ] || exit 0\nsleep 0.5\nkill -USR1 $(\(parent)$(\(parent)$PPID/stat)/stat)\nsleep 1")
        let outcome = try stage.launch("supervise", hosts + ["--grace", "3", "train", "--config", "x.yaml"])
        #expect(outcome.code == 75 && outcome.errors.contains("SIGUSR1"), "\(outcome.errors)")
        #expect(!stage.has("started") && !outcome.errors.contains("no answer"), "\(outcome.errors)")
    }

    /// A signal that comes while the job ends does not hide how it ended.
    @Test func theCodeIsTheJobs() throws {
        for _ in 0..<3 {
            let stage = try Stage("trap '' USR1; kill -USR1 $PPID; exit 65")
            let outcome = try stage.launch("mpi", ["--ranks", "1", "train", "--config", "x.yaml"])
            #expect(outcome.code == 65, "\(outcome.errors)")
        }
    }

    /// Where the file system has no locks, nobody waits for one.
    @Test func aFileSystemWithoutLocksWillDo() throws {
        let stage = try Stage("touch $run/done.json")
        try stage.script("flock", "echo 'flock: Function not implemented' >&2; exit 71")
        try Data().write(to: URL(fileURLWithPath: "\(stage.run)/.lock"))
        let arguments = ["--ranks", "1", "--stale", "2", "train", "--config", "x.yaml"]
        #expect(try stage.launch("supervise", arguments).code == 0)
        // Another's lock is one.
        try stage.script("flock", "exit 1")
        let outcome = try stage.launch("supervise", arguments)
        #expect(outcome.code == 75 && outcome.errors.contains("still held"), "\(outcome.errors)")
    }

    /// A marker that cannot be removed says nothing of the job to come.
    @Test(arguments: ["supervise", "slurm"]) func anOldMarkerIsNotTheJobs(_ launcher: String) throws {
        let stage = try Stage("touch $run/started; exit 74")
        try FileManager.default.createDirectory(
            atPath: "\(stage.run)/done.json", withIntermediateDirectories: true)
        let outcome = try stage.launch(launcher, ["train", "--config", "x.yaml"])
        #expect(outcome.code == 73 && outcome.errors.contains("cannot be written to"), "\(outcome.errors)")
        #expect(!stage.has("started"))
    }

    /// What was set aside twice is no new checkpoint, and hides none.
    @Test func checkpointsThatWereSetAsideDoNotCount() throws {
        let stage = try Stage("mkdir $run/checkpoints/step-00000020; exit 75")
        try FileManager.default.createDirectory(
            atPath: "\(stage.run)/checkpoints/step-00000030.abandoned-2", withIntermediateDirectories: true)
        let outcome = try stage.launch("slurm", ["train", "--config", "x.yaml"])
        #expect(stage.isRequeued && outcome.code == 75, "\(outcome.errors)")
    }

    /// srun takes the cores of a task from a variable of its own, and what tasks inherit from sbatch unless it is told.
    @Test func tasksHaveTheirCoresAndVariables() throws {
        let stage = try Stage("echo $SRUN_CPUS_PER_TASK $1 >$run/said; touch $run/done.json")
        let outcome = try stage.launch(
            "slurm", ["train", "--config", "x.yaml"], environment: ["SLURM_CPUS_PER_TASK": "4"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(try String(contentsOfFile: "\(stage.run)/said", encoding: .utf8) == "4 --export=ALL\n")
    }

    /// A job is queued again when it has brought a new checkpoint and ended in a way that another attempt may change, warned or not.
    @Test(arguments: [false, true], [(75, true), (137, true), (78, true), (75, false), (0, false)])
    func jobsThatGetOnAreQueuedAgain(_ isWarned: Bool, _ end: (code: Int, saves: Bool)) throws {
        // The launcher passes the warning on to srun, which does not end by it.
        var job = isWarned ? "trap '' USR1; kill -USR1 $PPID; sleep 0.3\n" : ""
        if end.saves { job += "mkdir $run/checkpoints/step-00000020\n" }
        let stage = try Stage(job + "exit \(end.code)")
        let outcome = try stage.launch("slurm", ["train", "--config", "x.yaml"])
        #expect(stage.isRequeued == (end.saves && end.code != 78), "\(outcome.errors)")
        #expect(outcome.code == (end.code == 78 ? 78 : 75), "\(outcome.errors)")
    }
}
