// What `noise`, `loss` and `spectrum` say to wrong input: exit code, one message, no output. Not here: right input, training.

import ArrayFiles
import Buffers
import Foundation
import Oracles
import Testing

/// A command line over the files of `BadInputTests.Files`, and what it must end with.
struct Mistake: CustomTestStringConvertible, Sendable {
    let code: Int32
    /// Words of the one message; the first is the file or option, which it names once.
    let words: [String]
    /// A word @name is the path of a file.
    let arguments: [String]

    var testDescription: String { arguments.joined(separator: " ") }

    init(_ code: Int32, _ words: [String], _ arguments: String) {
        (self.code, self.words, self.arguments) = (code, words, arguments.split(separator: " ").map(String.init))
    }
}

@Suite struct BadInputTests {
    /// Every kind of wrong file beside the right ones, x (7 × 4) and t (14 × 4).
    struct Files {
        let folder: TemporaryFolder
        let before: [String]

        init() throws {
            let folder = try TemporaryFolder()
            let x = Dense.normals(7, 4, salt: 1)
            func with(_ value: Double, row: Int, in matrix: Dense) -> Dense {
                var result = matrix
                result[row, 2] = value
                return result
            }
            try x.write(folder.file("x"))
            try Dense.normals(14, 4, salt: 2).write(folder.file("t"))
            try with(.nan, row: 4, in: x).write(folder.file("nan"))
            try with(-.infinity, row: 9, in: Dense.normals(14, 4, salt: 2)).write(folder.file("infinity"))
            try Dense.normals(7, 5, salt: 1).write(folder.file("wide"))
            try Dense.normals(10, 4, salt: 1).write(folder.file("ten"))
            try NPYArray.write(path: folder.file("line"), shape: [5], values: Floats(repeating: 1, count: 5))
            try NPYArray.write(path: folder.file("cube"), shape: [1, 1, 1], values: Floats(repeating: 1, count: 1))
            try NPYArray.write(path: folder.file("none"), shape: [0, 4], values: Floats(count: 0))
            try NPYArray.write(path: folder.file("ids5"), shape: [5], integers: [1, 2, 3, 4, 5])
            try NPYArray.write(path: folder.file("fractions"), shape: [7], values: Floats(repeating: 0.5, count: 7))
            try Dense(7, 4, Array(repeating: 3e38, count: 28)).write(folder.file("huge"))
            let whole = try Data(contentsOf: URL(fileURLWithPath: folder.file("x")))
            for (name, bytes) in [
                ("text", Data("rows and columns".utf8)), ("empty", Data()), ("header", whole.prefix(40)),
                ("short", whole.dropLast(6)),
                ("long", whole + Data([1])),
            ] { try bytes.write(to: URL(fileURLWithPath: folder.file(name))) }
            try FileManager.default.createDirectory(atPath: folder.file("folder"), withIntermediateDirectories: true)
            self.folder = folder
            before = folder.contents
        }

        func arguments(_ mistake: Mistake) -> [String] {
            mistake.arguments.map { $0.hasPrefix("@") ? folder.file(String($0.dropFirst())) : $0 }
        }
    }

    static let mistakes: [Mistake] = [
        Mistake(65, ["@nan", "row 4 "], "noise --input @nan --output @out"),
        Mistake(65, ["@nan", "row 4 "], "spectrum --input @nan"),
        Mistake(65, ["@nan", "row 4 "], "loss --queries @nan --targets @t --gradients @out"),
        Mistake(65, ["@infinity", "row 9 "], "loss --queries @x --targets @infinity --gradients @out"),
        Mistake(65, ["@nan", "row 4 "], "noise --input @x --output @out --gaussian @nan"),
        Mistake(65, ["@line", "[5]"], "noise --input @line --output @out"),
        Mistake(65, ["@cube", "[1, 1, 1]"], "spectrum --input @cube"),
        Mistake(65, ["@line", "[5]"], "loss --queries @x --targets @line --gradients @out"),
        Mistake(65, ["@none", "[0, 4]"], "loss --queries @none --targets @t --gradients @out"),
        Mistake(65, ["@text", "not a NumPy array"], "noise --input @text --output @out"),
        Mistake(65, ["@empty", "0 bytes"], "noise --input @empty --output @out"),
        Mistake(65, ["@header", "40 bytes"], "spectrum --input @header"),
        Mistake(65, ["@short", "truncated"], "noise --input @short --output @out"),
        Mistake(65, ["@short", "truncated"], "loss --queries @x --targets @short --gradients @out"),
        Mistake(65, ["@long"], "spectrum --input @long"),
        Mistake(65, ["@wide", "[7, 5]", "[7, 4]"], "noise --input @x --output @out --gaussian @wide"),
        Mistake(65, ["@ten", "[10, 4]"], "noise --input @x --output @out --gaussian @ten"),
        Mistake(65, ["@wide", "[7, 5]"], "loss --queries @x --targets @wide --gradients @out"),
        Mistake(65, ["@ten", "7 rows", "[10, 4]"], "loss --queries @x --targets @ten --gradients @out"),
        Mistake(65, ["@x", "14 rows", "[7, 4]"], "loss --queries @t --targets @x --gradients @out"),
        Mistake(65, ["@fractions", "integers"], "loss --queries @x --targets @t --ids @fractions --gradients @out"),
        Mistake(65, ["@ids5", "7 or 14", "[5]"], "loss --queries @x --targets @t --ids @ids5 --gradients @out"),
        Mistake(65, ["row 0 ", "too large"], "loss --queries @huge --targets @huge --gradients @out"),
        Mistake(66, ["@missing"], "noise --input @missing --output @out"),
        Mistake(66, ["@missing"], "noise --input @x --output @out --gaussian @missing"),
        Mistake(66, ["@missing"], "spectrum --input @missing"),
        Mistake(66, ["@missing"], "loss --queries @missing --targets @t --gradients @out"),
        Mistake(66, ["@missing"], "loss --queries @x --targets @t --ids @missing --gradients @out"),
        Mistake(66, ["@folder", "directory"], "spectrum --input @folder"),
        Mistake(73, ["@nowhere/out", "directory"], "noise --input @x --output @nowhere/out"),
        Mistake(73, ["@folder", "directory"], "noise --input @x --output @folder"),
        Mistake(73, ["@x/out"], "loss --queries @x --targets @t --gradients @x/out"),
        Mistake(64, ["--strength", "-1"], "noise --input @x --output @out --strength -1"),
        Mistake(64, ["--strength", "nan"], "noise --input @x --output @out --strength nan"),
        Mistake(64, ["--strength", "-1"], "spectrum --input @x --strength -1"),
        Mistake(64, ["--power", "linear"], "noise --input @x --output @out --scaling linear --power 2"),
        Mistake(64, ["--power", "scaling power"], "noise --input @x --output @out --scaling power"),
        Mistake(64, ["--step", "-1"], "noise --input @x --output @out --step=-1"),
        Mistake(64, ["--temperature", "0"], "loss --queries @x --targets @t --temperature 0 --gradients @out"),
        Mistake(64, ["--temperature", "-0.5"], "loss --queries @x --targets @t --temperature -0.5 --gradients @out"),
        Mistake(64, ["--bias", "inf"], "loss --queries @x --targets @t --bias inf --gradients @out"),
        Mistake(
            64, ["--temperature", "1e-300"], "loss --queries @x --targets @t --temperature 1e-300 --gradients @out"),
        Mistake(64, ["--sketch", "0"], "noise --input @x --output @out --sketch 0"),
        Mistake(65, ["@x", "row ", "--strength"], "noise --input @x --output @out --strength 3.4e38"),
        Mistake(65, ["@none", "no rows"], "loss --queries @x --targets @none --gradients @out"),
        Mistake(65, ["@x", "--temperature"], "loss --queries @x --targets @t --temperature 1e-13 --gradients @out"),
        Mistake(64, ["--tile", "1073741824"], "loss --queries @x --targets @t --tile 9223372036854775807"),
        Mistake(64, ["--bias", "sigmoid"], "loss --queries @x --targets @t --loss infonce --bias 3 --gradients @out"),
        Mistake(64, ["--tile", "0"], "loss --queries @x --targets @t --tile 0 --gradients @out"),
    ]

    /// Every mistake alone and as three threads, every third under mpirun, where all ranks find it or one does: one message always.
    static let starts: [(Mistake, Start)] =
        mistakes.map { ($0, .alone) } + mistakes.map { ($0, .threads(3)) }
        + mistakes.enumerated().filter { $0.offset % 3 == 0 }.map { ($0.element, .mpi(2)) }

    @Test(arguments: starts) func oneMessageAndNoOutput(_ mistake: Mistake, _ start: Start) throws {
        let files = try Files()
        let outcome = try Program.run(files.arguments(mistake), start)
        #expect(outcome.code == mistake.code, "\(outcome.errors)")
        #expect(outcome.output.isEmpty)
        try #require(outcome.messages.count == 1, "\(outcome.errors)")
        let message = outcome.messages[0]
        for word in mistake.words {
            let text = word.hasPrefix("@") ? files.folder.file(String(word.dropFirst())) : word
            #expect(message.contains(text))
            if word == mistake.words[0] { #expect(outcome.count(of: text) == 1, "\(outcome.errors)") }
        }
        // A wrong option is found before there are threads, but not before there are processes.
        let isFoundByOne = start == .alone || mistake.code == 64 && start == .threads(3)
        #expect(message.hasPrefix(isFoundByOne ? "fanoise: " : "[rank "))
        if case .mpi = start {} else { #expect(outcome.errors == message + "\n") }
        #expect(files.folder.contents == files.before)
    }

    /// Words that the parser refuses: 64, what is wrong and how to learn more, also once under mpirun.
    static let refused: [(String, String)] = [
        ("noise --input @x --output @out --scaling sublin", "sublinear"),
        ("noise --input @x --output @out --energy much", "matched"),
        ("noise --input @x --output @out --solver best", "randomized"),
        ("noise --input @x --output @out --features whole", "raw"),
        ("noise --input @x", "--output"),
        ("noise --input @x --output @out --stregth 1", "--stregth"),
        ("noise --input @x --output @out --strength much", "--strength"),
        ("noise --input @x --output @out --deadline 0", "--deadline"),
        ("noise --input @x --output @out --deadline 1e300", "--deadline"),
        ("spectrum --input @x --deadline inf", "--deadline"),
        ("loss --queries @x --targets @t --loss hinge", "symmetric"),
        ("loss --queries @x --targets @t --precision half", "double"),
        ("loss --queries @x --targets @t --ranks many", "--ranks"),
        ("spectrum --input @x --solver best", "randomized"),
        ("evaluate --run @x --checkpoint @x", "exactly one"),
        ("embed --checkpoint @x --input @x --side both --output @out", "target"),
        ("search --run @x --index @x", "exactly one"),
        ("search --run @x --index @x --text word --top 0", "--top"),
        ("search --run @x --index @x --text word --top 9223372036854775807", "--top"),
        ("search --run @x --index @x --text word --chunk 9223372036854775807", "--chunk"),
        ("embed --run @x --input @x --side query --output @out --chunk 9223372036854775807", "--chunk"),
        ("evaluate --run @x --chunk 9223372036854775807", "--chunk"),
        ("mine --run @x --data @x --output @out --negatives 9223372036854775807", "--negatives"),
        ("mine --run @x --data @x --output @out --range 0:9223372036854775807", "--range"),
        ("mine --run @x --data @x --output @out --range 9223372036854775806:9223372036854775807", "--range"),
        ("mine --run @x --data @x --output @out --negatives 1001", "--negatives"),
        ("mine --run @x --data @x --output @out --margin nan", "--margin"),
        ("mine --run @x --data @x --output @out --relative-margin inf", "--relative-margin"),
        ("mine --run @x --data @x --output @out --max-score nan", "--max-score"),
        ("mine --run @x --data @x --output @out --min-score nan", "--min-score"),
        ("mine --run @x --data @x --output @out --min-score 1 --max-score 0", "--min-score"),
        ("embed --run @x --input @x --side query --output @out --save-every inf", "--save-every"),
        ("doctor --predict @x --network inf", "--network"),
        ("doctor --cores-per-node 9223372036854775807", "--cores-per-node"),
        ("spectrum @x", "--input"),
        ("nosie", "nosie"),
    ]

    @Test(arguments: refused) func refusedByTheParser(_ line: String, _ word: String) throws {
        let files = try Files()
        let mistake = Mistake(64, [], line)
        let outcome = try Program.run(files.arguments(mistake))
        #expect(outcome.code == 64)
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors.hasPrefix("Error: "))
        #expect(outcome.errors.contains(word.hasPrefix("@") ? files.folder.file(String(word.dropFirst())) : word))
        #expect(outcome.errors.contains("--help"))
        #expect(files.folder.contents == files.before)
    }

    /// As `--output "$UNSET"` makes them.
    @Test(arguments: [
        (["noise", "--input", "", "--output", "@out"], "--input is empty"),
        (["noise", "--input", "@x", "--output", ""], "--output is empty"),
        (["noise", "--input", "@x", "--output="], "--output is empty"), (["report", ""], "an argument is empty"),
        (["train", "--config", ""], "--config is empty"),
    ]) func emptyPaths(_ words: [String], _ message: String) throws {
        let files = try Files()
        let outcome = try Program.run(words.map { $0.hasPrefix("@") ? files.folder.file(String($0.dropFirst())) : $0 })
        #expect(outcome.code == 64 && outcome.messages.count == 1, "\(outcome.errors)")
        #expect(outcome.errors.contains(message), "\(outcome.errors)")
        #expect(files.folder.contents == files.before)
    }

    /// No file may have more than a kilobyte: the folder that was made for the gradients goes again.
    @Test func halfOfTheGradientsAreNone() throws {
        let files = try Files()
        let out = files.folder.file("out")
        for name in ["q", "p"] { try Dense.normals(200, 4, salt: 1).write(files.folder.file(name)) }
        let shell = ["sh", "-c", "trap '' XFSZ; ulimit -f 2; exec \"$@\"", "sh"]
        let outcome = try RunningProgram(
            [
                "loss", "--queries", files.folder.file("q"), "--targets", files.folder.file("p"), "--gradients", out,
            ], .alone, limit: shell
        ).outcome()
        #expect(outcome.code == 74 && outcome.messages.count == 1, "\(outcome.errors)")
        #expect(!FileManager.default.fileExists(atPath: out))
    }

    @Test func refusedOnceUnderMPI() throws {
        let files = try Files()
        let outcome = try Program.run(
            files.arguments(Mistake(64, [], "noise --input @x --output @out --scaling sublin")), .mpi(2))
        #expect(outcome.code == 64)
        #expect(outcome.count(of: "Error: ") == 1, "\(outcome.errors)")
        #expect(outcome.messages.count == 1)
    }

    @Test(arguments: [(Start.alone, "0"), (.alone, "1025"), (.mpi(2), "3")]) func wrongNumberOfRanks(
        _ start: Start, _ ranks: String
    )
        throws
    {
        let files = try Files()
        let outcome = try Program.run(["spectrum", "--input", files.folder.file("x"), "--ranks", ranks], start)
        #expect(outcome.code == 64)
        #expect(outcome.messages.count == 1 && outcome.count(of: "--ranks") >= 1, "\(outcome.errors)")
    }
}
