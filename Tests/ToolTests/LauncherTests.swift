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

        private func script(_ name: String, _ body: String) throws {
            let path = folder.file("bin/\(name)")
            try Data("#!/bin/bash\n\(body)\n".utf8).write(to: URL(fileURLWithPath: path))
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        }

        /// Exit code and standard error of a launcher.
        func launch(_ name: String, _ arguments: [String]) throws -> (code: Int32, errors: String) {
            let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent()
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            // A thread of the pool blocks signals, and what it starts inherits that.
            process.arguments =
                ["--default-signal", "timeout", "-k", "5", "40", root.appending(path: "launch/\(name)").path]
                + arguments
            var environment = ProcessInfo.processInfo.environment.filter {
                !$0.key.hasPrefix("FANOISE_") && !$0.key.hasPrefix("SLURM_")
            }
            environment["FANOISE"] = folder.file("bin/fanoise")
            environment["PATH"] = "\(folder.file("bin")):\(environment["PATH"] ?? "/usr/bin:/bin")"
            if name == "slurm" { environment["SLURM_JOB_ID"] = "1" }
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
