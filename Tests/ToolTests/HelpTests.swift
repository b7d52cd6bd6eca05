// Help and version, `doctor`, and what `data emoji` refuses. Not here: building data sets (DatasetsTests).

import Foundation
import Testing

@Suite struct HelpTests {
    static let commands: [(String, [String])] = [
        (
            "",
            ["train", "evaluate", "embed", "search", "noise", "loss", "spectrum", "data", "doctor", "75 stopped early"]
        ),
        ("train", ["--config", "--set", "--resume", "--ranks", "--deadline", "--json"]),
        ("evaluate", ["--run", "--checkpoint", "--data", "--ranks", "--json"]),
        ("embed", ["--checkpoint", "--input", "--side", "--output", "--ranks", "--json"]),
        ("search", ["--checkpoint", "--index", "--text", "--image", "--top", "--json"]),
        (
            "noise",
            [
                "--input", "--output", "--strength", "--scaling", "--power", "--energy", "--center", "--seed", "--step",
                "--gaussian", "--solver", "--sketch",
                "none, gaussian, uniform, linear, sublinear", "--ranks", "--deadline", "--json",
            ]
        ),
        (
            "loss",
            [
                "--queries", "--targets", "--ids", "--loss", "--temperature", "--bias", "--gradients", "--tile",
                "infonce, symmetric, sigmoid",
                "--ranks", "--deadline", "--json",
            ]
        ),
        ("spectrum", ["--input", "--strength", "--ranks", "--deadline", "--json"]),
        ("report", ["runs", "--output", "--json"]),
        ("experiment", ["--config", "--output", "--jobs", "--ranks", "--limit", "--markdown", "--json"]),
        ("data", ["emoji"]),
        ("data emoji", ["--output", "--size", "--languages", "--json"]),
        ("doctor", ["--seconds", "--json"]),
    ]

    @Test(arguments: commands) func helpNamesEveryOption(_ command: String, _ words: [String]) throws {
        let outcome = try Program.run(command.split(separator: " ").map(String.init) + ["--help"])
        #expect(outcome.code == 0)
        #expect(outcome.errors.isEmpty)
        #expect(outcome.output.contains("USAGE: fanoise" + (command.isEmpty ? " <subcommand>" : " \(command)")))
        // Words may be broken over lines.
        let text = outcome.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        for word in words { #expect(text.contains(word)) }
    }

    @Test(arguments: [[], ["data"]]) func withoutASubcommandHelpIsShown(_ arguments: [String]) throws {
        let outcome = try Program.run(arguments)
        #expect(outcome.code == 0)
        #expect(outcome.output.contains("SUBCOMMANDS:"))
    }

    @Test func version() throws {
        let outcome = try Program.run(["--version"])
        #expect(outcome.code == 0)
        #expect(try /\d+\.\d+\.\d+\n/.wholeMatch(in: outcome.output) != nil)
        #expect(outcome.errors.isEmpty)
    }

    /// Every key of the configuration is explained without a configuration.
    @Test func helpOnTheConfiguration() throws {
        let outcome = try Program.run(["train", "--help-config"])
        #expect(outcome.code == 0)
        for key in ["batch", "noise", "strength", "loss", "optimizer", "checkpoint"] {
            #expect(outcome.output.contains(key))
        }
    }
}

@Suite struct DoctorTests {
    @Test func reportIsJSON() throws {
        let outcome = try Program.run(["doctor", "--seconds", "0", "--json"])
        #expect(outcome.code == 0)
        let json = try outcome.json()
        for key in [
            "processor", "cores", "physical_cores", "memory_bytes", "simd", "products", "blas_core", "suggestion",
            "advice",
        ] {
            #expect(json[key] != nil, "\(key)")
        }
        #expect(try #require(json["cores"] as? Int) >= 1)
        #expect(json["speed"] == nil)
        let layout = try #require(json["suggestion"] as? [String: Int])
        #expect(try #require(layout["ranks"]) * #require(layout["threads_per_rank"]) <= #require(json["cores"] as? Int))
    }

    /// A tenth of a second is short for a figure, but long enough for a number above zero.
    @Test func speedIsMeasured() throws {
        let outcome = try Program.run(["doctor", "--seconds", "0.1", "--json"])
        let speed = try #require(try outcome.json()["speed"] as? [String: Any])
        for key in ["gemm_one_core", "gemm_all_cores", "triad_one_core", "triad_all_cores"] {
            #expect(try #require(speed[key] as? Double) > 0, "\(key)")
        }
    }

    @Test func tableForPeople() throws {
        let outcome = try Program.run(["doctor", "--seconds", "0"])
        #expect(outcome.code == 0)
        #expect(outcome.output.contains("OpenBLAS kernels") && outcome.output.contains("mpirun -n"))
    }

    /// Under mpirun one rank speaks.
    @Test func oneRankSpeaks() throws {
        let outcome = try Program.run(["doctor", "--seconds", "0"], .mpi(2))
        #expect(outcome.code == 0)
        #expect(outcome.output.components(separatedBy: "OpenBLAS kernels").count == 2)
    }

    @Test(arguments: [("/nowhere/at/all", 66), ("/etc/passwd", 73)] as [(String, Int32)])
    func aFolderThatIsNone(_ path: String, _ code: Int32) throws {
        let outcome = try Program.run(["doctor", "--seconds", "0", "--output", path])
        #expect(outcome.code == code && outcome.output.isEmpty)
        #expect(outcome.messages.count == 1 && outcome.errors.contains("--output \(path)"), "\(outcome.errors)")
    }

    @Test(arguments: ["601", "many", "nan"]) func secondsOutOfRange(_ seconds: String) throws {
        let outcome = try Program.run(["doctor", "--seconds", seconds])
        #expect(outcome.code == 64)
        #expect(outcome.errors.contains("--seconds"))
    }
}

@Suite struct DataEmojiTests {
    /// Errors that need none of the packages the data come from.
    static let mistakes: [(Int32, [String], [String])] = [
        (64, ["--drawings", "photo"], ["'photo'", "noto, emojione, symbola"]),
        (64, ["--drawings", "", "--font", "plain"], ["--font", "NAME=PATH", "'plain'"]),
        (66, ["--drawings", "noto", "--noto", "/nowhere.ttf"], ["/nowhere.ttf", "fonts-noto-color-emoji"]),
        (66, ["--drawings", "symbola", "--symbola", "/nowhere.ttf"], ["/nowhere.ttf", "fonts-symbola"]),
        (66, ["--drawings", "emojione", "--gemojione", "/nowhere"], ["/nowhere", "ruby-gemojione"]),
        (66, ["--drawings", "", "--font", "own=/nowhere.ttf"], ["/nowhere.ttf"]),
    ]

    @Test(arguments: mistakes) func mistake(_ code: Int32, _ arguments: [String], _ words: [String]) throws {
        let folder = try TemporaryFolder()
        let outcome = try Program.run(["data", "emoji", "--output", folder.file("emoji")] + arguments)
        #expect(outcome.code == code, "\(outcome.errors)")
        #expect(outcome.messages.count == 1, "\(outcome.errors)")
        for word in words { #expect(outcome.errors.contains(word), "\(outcome.errors)") }
        #expect(folder.contents.isEmpty)
    }
}
