// Runs that are interrupted, and checkpoints that are damaged. Not here: the checkpoint format (CheckpointsTests).

import Foundation
import Testing

@Suite struct RecoveryTests {
    private func bytes(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

    /// Changes one bit in the middle of a file.
    private func damage(_ path: String) throws {
        var data = try bytes(path)
        data[data.count / 2] ^= 4
        try data.write(to: URL(fileURLWithPath: path))
    }

    /// A signal ends the run after a step with code 75 and a checkpoint of that step; the same command goes on and reaches, bit for bit,
    /// the model of a run that was never stopped.
    @Test(arguments: [(Start.alone, SIGTERM), (.alone, SIGINT), (.threads(2), SIGTERM), (.mpi(2), SIGUSR1)])
    func signalThenResume(_ start: Start, _ signal: Int32) throws {
        let steps = 2500
        let (stopped, whole) = (
            try TinyRun(steps: steps, checkpointEvery: 10_000), try TinyRun(steps: steps, checkpointEvery: 10_000)
        )
        let program = try RunningProgram(
            ["train", "--config", stopped.config, "--set", "log.every=1", "--json"], start)
        let metrics = "\(stopped.run)/metrics.jsonl"
        let deadline = Date(timeIntervalSinceNow: 30)
        while program.isRunning, Date() < deadline, try program.errors().contains(" loss ") == false { usleep(2000) }
        program.send(signal)
        let first = try program.outcome()
        try #require(first.code == 75, "\(first.errors)")
        let json = try first.json()
        let done = try #require(json["step"] as? Int)
        #expect(done > 0 && done < steps)
        #expect(json["finished"] as? Bool == false)
        #expect(first.lines(with: "stopped by a signal", "step \(done)").count == 1)
        #expect(stopped.steps == [String(format: "step-%08d", done)])
        #expect(FileManager.default.fileExists(atPath: metrics))

        let quiet = ["--set", "log.every=500"]
        let second = try stopped.train(start, quiet)
        #expect(second.code == 0, "\(second.errors)")
        #expect(second.lines(with: "resumed after step \(done) of \(steps)").count == 1)
        #expect(try second.json()["step"] as? Int == steps)
        #expect(try whole.train(start, quiet).code == 0)
        let model = "step-\(String(format: "%08d", steps))/model.safetensors"
        #expect(try bytes("\(stopped.checkpoints)/\(model)") == bytes("\(whole.checkpoints)/\(model)"))
    }

    /// Finished runs have nothing to do, and say so.
    @Test func trainingAgainDoesNothing() throws {
        let tiny = try TinyRun()
        #expect(try tiny.train().code == 0)
        let again = try tiny.train(.threads(2))
        #expect(again.code == 0)
        #expect(again.lines(with: "nothing to do", "4 steps").count == 1)
        #expect(try again.json()["step"] as? Int == 4)
    }

    /// One bit of the newest checkpoint: every command says which file, and uses the checkpoint before it.
    @Test(arguments: [Start.alone, .mpi(2)]) func damagedCheckpointIsNamedAndSkipped(_ start: Start) throws {
        let tiny = try TinyRun()
        #expect(try tiny.train().code == 0)
        try damage("\(tiny.checkpoints)/step-00000004/model.safetensors")

        let evaluated = try Program.run(["evaluate", "--run", tiny.run, "--json"], start)
        #expect(evaluated.code == 0, "\(evaluated.errors)")
        #expect(
            evaluated.lines(with: "warning", "step-00000004", "model.safetensors").count == 1, "\(evaluated.errors)")
        let older = try Program.run(["evaluate", "--checkpoint", "\(tiny.checkpoints)/step-00000002", "--json"], start)
        #expect(evaluated.output.split(separator: "\n").last == older.output.split(separator: "\n").last)

        let resumed = try tiny.train(start)
        #expect(resumed.code == 0, "\(resumed.errors)")
        #expect(resumed.lines(with: "warning", "step-00000004", "model.safetensors").count == 1, "\(resumed.errors)")
        #expect(resumed.lines(with: "resumed after step 2 of 4").count == 1)
        #expect(try resumed.json()["finished"] as? Bool == true)
        // Saved anew, whole.
        #expect(try Program.run(["evaluate", "--checkpoint", "\(tiny.checkpoints)/step-00000004"], start).code == 0)
    }

    /// Asked for by its path, a damaged checkpoint is an error; and so is a run that has no other.
    @Test func damagedCheckpointByPathIsAnError() throws {
        let tiny = try TinyRun(checkpointEvery: 100)
        #expect(try tiny.train().code == 0)
        let checkpoint = "\(tiny.checkpoints)/step-00000004"
        try damage("\(checkpoint)/model.safetensors")
        let resumed = try tiny.train(.alone, ["--resume", checkpoint])
        #expect(resumed.code == 65)
        #expect(resumed.messages.count == 1 && resumed.messages[0].contains("model.safetensors"), "\(resumed.errors)")
        let evaluated = try Program.run(["evaluate", "--run", tiny.run], .mpi(2))
        #expect(evaluated.code == 66)
        #expect(evaluated.messages.count == 1 && evaluated.messages[0].contains("step-00000004"), "\(evaluated.errors)")
    }

    /// What a run at one number of ranks saved, another number goes on from.
    @Test func resumeWithOtherRanks() throws {
        let tiny = try TinyRun()
        #expect(try tiny.train(.mpi(3), ["--set", "steps=2", "--set", "optimizer.schedule.kind=constant"]).code == 0)
        let resumed = try tiny.train(
            .threads(2), ["--set", "optimizer.schedule.kind=constant", "--allow-change", "steps"])
        #expect(resumed.code == 0, "\(resumed.errors)")
        #expect(resumed.lines(with: "resumed after step 2 of 4").count == 1)
        #expect(tiny.steps == ["step-00000002", "step-00000004"])
    }
}
