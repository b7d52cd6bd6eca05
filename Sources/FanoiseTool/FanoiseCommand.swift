// The root of the command line and how errors leave it. Not here: what the commands do.

import ArgumentParser
import Collectives
import Failures
import Foundation
import Training

/// `fanoise`: trains contrastive encoders on CPU clusters, and offers the parts of that job on anyone's arrays.
struct FanoiseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fanoise",
        abstract: "Contrastive embedding models with feature-adaptive noise, trained on clusters of CPUs.",
        discussion: """
            Every command that computes runs alone, under mpirun or srun (rows are sharded over ranks), or with --ranks N as N ranks in \
            one process. Results do not depend on the number of ranks. Tables and progress go to standard error; with --json the last \
            line on standard output is one JSON object.

            Exit codes: 0 done, 64 usage, 65 data, 66 input missing, 70 internal, 73/74 cannot write, 75 stopped early and resumable, \
            78 configuration.
            """,
        version: Program.version,
        subcommands: [
            TrainCommand.self, EvaluateCommand.self, EmbedCommand.self, SearchCommand.self, MineCommand.self,
            NoiseCommand.self, ReportCommand.self, ExperimentCommand.self,
            LossCommand.self, SpectrumCommand.self, DataCommand.self, ExportCommand.self, DoctorCommand.self,
        ])
}

@main
enum FanoiseTool {
    static func main() {
        ProcessSetup.occupyStandardStreams()
        // A reader that goes away is an error of the write, with a message and an exit code.
        signal(SIGPIPE, SIG_IGN)
        ProcessSetup.chooseBLASKernels()
        do {
            try requireNoEmptyPaths(CommandLine.arguments.dropFirst())
            var command = try FanoiseCommand.parseAsRoot()
            try command.run()
        } catch let failure as Failure {
            end(with: failure)
        } catch {
            switch FanoiseCommand.exitCode(for: error) {
            case .failure: end(with: Failure(.internal, "\(error)"))
            case .validationFailure where World.isLaunchedByMPI:
                end(with: Failure(.usage, FanoiseCommand.fullMessage(for: error)))
            // Help, version, wrong usage, or the code of a world that has spoken.
            default: FanoiseCommand.exit(withError: error)
            }
        }
    }

    /// Ends the program with a failure from before the world was made.
    ///
    /// It is thrown in a world all the same: of many ranks that find the same mistake one speaks, and ranks that have not found it end too.
    private static func end(with failure: Failure) -> Never { exit(World.run { _ in throw failure }) }
}
