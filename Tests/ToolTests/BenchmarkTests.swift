// `evaluate --beir`, `evaluate --classify` and `mine` as a user runs them. Not here: the measures and rules (TrainingTests).

import Foundation
import Oracles
import Testing

@Suite struct BenchmarkTests {
    private func measures(_ outcome: Outcome, _ folder: String) throws -> [String: Double] {
        #expect(outcome.code == 0, "\(outcome.errors)")
        let report = try #require(try outcome.json()[folder] as? [String: Any])
        return try #require(report["measures"] as? [String: Double])
    }

    /// The same to the last bit at every number of ranks, and Recall@1 is that of the embeddings.
    @Test func beir() throws {
        let text = try TextRun()
        let folder = text.folder.file("beir")
        let arguments = ["evaluate", "--run", text.run, "--beir", folder, "--chunk", "7", "--json"]
        let alone = try measures(try Program.run(arguments), folder)
        #expect(alone.count == 25)
        for start in [Start.threads(2), .mpi(3), .mpi(4)] {
            #expect(try measures(try Program.run(arguments, start), folder) == alone)
        }
        let corpus = try text.embed((0..<70).map { "it is \($0 % 60) of \($0 % 5)" }, side: "target")
        let queries = try text.embed((0..<9).map { "what is \($0)" }, side: "query")
        let scores = corpus * queries.transposed
        var found = 0.0
        for query in 0..<9 {
            let best = try #require((0..<70).max { (scores[$0, query], "d\($0)") < (scores[$1, query], "d\($1)") })
            if best == query || best == query * 7 % 70 { found += query == 0 ? 1 : 0.5 }
        }
        #expect(abs(try #require(alone["recall_at_1"]) - found / 9) < 1e-9)
    }

    @Test func benchmarkMistakes() throws {
        let text = try TextRun()
        let corpus = try String(contentsOfFile: text.folder.file("beir/corpus.jsonl"), encoding: .utf8)
        func evaluate(_ more: [String] = [], _ start: Start = .alone) throws -> Outcome {
            try Program.run(
                ["evaluate", "--run", text.run, "--beir", text.folder.file("beir"), "--json"] + more, start)
        }
        // Unknown names are counted.
        try text.write("beir/qrels/test.tsv", TextRun.judgements + ["q0\tnowhere\t1", "nobody\td1\t1"])
        let counted = try #require(
            try evaluate().json()[text.folder.file("beir")] as? [String: Any])
        #expect(counted["unknown_queries"] as? Int == 1 && counted["unknown_documents"] as? Int == 1)
        for (name, lines, words) in [
            ("beir/qrels/test.tsv", TextRun.judgements + ["q1 d1 1"], "test.tsv:29"),
            ("beir/qrels/test.tsv", TextRun.judgements + ["q1\td1\t0.5"], "'0.5'"),
            ("beir/qrels/test.tsv", TextRun.judgements + ["q1\td1\t1", "q1\td1\t0"], "judged"),
            ("beir/qrels/test.tsv", ["query-id\tcorpus-id\tscore"], "no judgements"),
            ("beir/qrels/test.tsv", ["x\ty\tz", "a\tb\t1"], "judges no query"),
            ("beir/corpus.jsonl", [#"{"_id": "a", "text": "x"}"#, #"{"_id": "a", "text": "y"}"#], "corpus.jsonl:2"),
            ("beir/corpus.jsonl", [#"{"_id": "a"}"#], "text"), ("beir/corpus.jsonl", ["{"], "corpus.jsonl:1"),
            ("beir/corpus.jsonl", [#"{"text": "a"}"#], "_id"), ("beir/corpus.jsonl", [""], "no texts"),
        ] {
            try text.write("beir/qrels/test.tsv", TextRun.judgements)
            try Data(corpus.utf8).write(to: URL(fileURLWithPath: text.folder.file("beir/corpus.jsonl")))
            try text.write(name, lines)
            let outcome = try evaluate()
            #expect(
                outcome.code == 65 && outcome.messages.first?.contains(words) == true, "\(words): \(outcome.errors)")
        }
        let missing = try evaluate(["--split", "dev"], .mpi(2))
        #expect(missing.code == 66 && missing.messages.first?.contains("dev.tsv") == true, "\(missing.errors)")
    }

    /// Classes of a folder of pictures, and classes of data, at several numbers of ranks.
    @Test func zeroShot() throws {
        let tiny = try TinyRun()
        #expect(try tiny.train().code == 0)
        for row in 0..<TinyRun.rows {
            let folder = tiny.folder.file("classes/kind_\(row % 3)")
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try FileManager.default.copyItem(
                atPath: tiny.folder.file("images/\(row).png"), toPath: "\(folder)/\(row).png")
        }
        try tiny.write("templates.txt", lines: ["{}", "{} a"])
        // Short: the model reads eight tokens.
        try tiny.write("classes.txt", lines: ["kind_0\tq", "kind_1\tyy", "kind_2\tz"])
        let arguments = [
            "evaluate", "--run", tiny.run, "--classify", tiny.folder.file("classes"), "--templates",
            tiny.folder.file("templates.txt"), "--classes", tiny.folder.file("classes.txt"), "--chunk", "3", "--json",
        ]
        let alone = try Program.run(arguments)
        #expect(alone.code == 0, "\(alone.errors)")
        for start in [Start.threads(2), .mpi(3)] { #expect(try Program.run(arguments, start).output == alone.output) }
        let report = try #require(try alone.json()["classification"] as? [String: Any])
        #expect(report["rows"] as? Int == TinyRun.rows && report["top5"] as? Double == 1)

        // The same from the embeddings.
        let sentences = ["q", "yy", "z"].flatMap { [$0, "\($0) a"] }
        try tiny.write("sentences.txt", lines: sentences)
        #expect(try tiny.embed("sentences.txt", side: "target").code == 0)
        #expect(try tiny.embed("train.jsonl", side: "query").code == 0)
        let texts = try Dense.read(tiny.folder.file("target.npy"))
        let scores = (try Dense.read(tiny.folder.file("query.npy"))) * texts.transposed
        let lengths = (0..<3).map { index in
            (0..<texts.columns).reduce(0) { $0 + pow(texts[2 * index, $1] + texts[2 * index + 1, $1], 2) }.squareRoot()
        }
        let right = (0..<TinyRun.rows).count { row in
            let own = (0..<3).map { (scores[row, 2 * $0] + scores[row, 2 * $0 + 1]) / lengths[$0] }
            return own[row % 3] == own.max()
        }
        #expect(abs(try #require(report["top1"] as? Double) - Double(right) / Double(TinyRun.rows)) < 1e-9)

        try tiny.write("classes.txt", lines: ["kind_0\tfirst kind", "kind_1"])
        let unknown = try Program.run(arguments)
        #expect(unknown.code == 65 && unknown.messages.first?.contains("kind_2") == true, "\(unknown.errors)")
        try tiny.write("templates.txt", lines: ["a thing"])
        #expect(try Program.run(arguments).code == 65)
    }

    /// The same file at every number of ranks; no negative is a positive; training reads what was written.
    @Test func mine() throws {
        let text = try TextRun()
        try text.write("corpus.txt", (0..<30).map { "it is \($0) of none" } + ["what is 3", "it is 3 of 1"])
        func mine(_ name: String, _ start: Start, _ more: [String] = []) throws -> Outcome {
            try Program.run(
                [
                    "mine", "--run", text.run, "--data", text.folder.file("train.jsonl"), "--corpus",
                    text.folder.file("corpus.txt"), "--output", text.folder.file(name), "--negatives", "4", "--chunk",
                    "6", "--json",
                ] + more, start)
        }
        for options in [[], ["--relative-margin", "0.001"], ["--sampling", "random", "--range", "2:20"]] {
            let alone = try mine("alone.jsonl", .alone, options)
            #expect(alone.code == 0, "\(alone.errors)")
            let lines = try String(contentsOfFile: text.folder.file("alone.jsonl"), encoding: .utf8)
            for start in [Start.threads(3), .mpi(2), .mpi(4)] {
                #expect(try mine("other.jsonl", start, options).output == alone.output)
                #expect(try String(contentsOfFile: text.folder.file("other.jsonl"), encoding: .utf8) == lines)
            }
            let rows = try lines.split(separator: "\n").map {
                try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
            }
            #expect(rows.count == TextRun.rows)
            for (row, object) in rows.enumerated() {
                let negatives = try #require(object["negatives"] as? [String])
                #expect(object["text"] as? String == "what is \(row)")
                #expect(object["caption"] as? String == "it is \(row / 2) of \(row % 5)")
                #expect(negatives.count <= 4 && Set(negatives).count == negatives.count)
                if options.isEmpty { #expect(negatives.count == 4) }
                let partner = row / 2 * 2 + 1 - row % 2
                for positive in [row, partner].map({ "it is \($0 / 2) of \($0 % 5)" }) + ["what is \(row)"] {
                    #expect(!negatives.contains(positive))
                }
            }
        }
        let trained = try Program.run([
            "train", "--config", text.folder.file("config.yaml"), "--set", "name=mined", "--set",
            "data.train=\(text.folder.file("alone.jsonl"))", "--json",
        ])
        #expect(trained.code == 0, "\(trained.errors)")
        #expect(try mine("x.jsonl", .alone, ["--range", "3:5"]).code == 64)
        let tiny = try TinyRun()
        #expect(try tiny.train().code == 0)
        #expect(
            try Program.run([
                "mine", "--run", tiny.run, "--data", tiny.folder.file("train.jsonl"), "--output",
                tiny.folder.file("x.jsonl"),
            ]).code == 64)
    }

    /// A model of texts takes no array for one, and asks for no empty text; of an array of embeddings no side is encoded.
    @Test func textsAreTexts() throws {
        let text = try TextRun()
        let array = text.folder.file("x.npy")
        try Dense.normals(3, 16, salt: 1).write(array)
        let data = text.folder.file("train.jsonl")
        for (code, words, arguments) in [
            (65, ["x.npy", "features", "text"], ["mine", "--data", data, "--corpus", array, "--output", "@"]),
            (65, ["x.npy", "features", "text"], ["mine", "--data", array, "--output", "@"]),
            (65, ["x.npy", "features", "text"], ["embed", "--input", array, "--side", "query", "--output", "@"]),
            (65, ["x.npy", "features", "text"], ["evaluate", "--data", array]),
            (65, ["x.npy", "features", "text"], ["evaluate", "--classify", array]),
            (65, ["empty"], ["search", "--index", array, "--text", ""]),
            (65, ["empty"], ["search", "--index", array, "--text", "   "]),
            (64, ["--side"], ["search", "--index", array, "--queries", array, "--side", "query"]),
            (0, [], ["search", "--index", array, "--queries", array]),
        ] as [(Int32, [String], [String])] {
            let outcome = try Program.run(
                [arguments[0], "--run", text.run]
                    + arguments.dropFirst().map { $0 == "@" ? text.folder.file("out.jsonl") : $0 })
            #expect(outcome.code == code, "\(arguments): \(outcome.errors)")
            for word in words { #expect(outcome.messages.first?.contains(word) == true, "\(outcome.errors)") }
        }
        #expect(!text.folder.contents.contains("out.jsonl"))
        let trained = try Program.run([
            "train", "--config", text.folder.file("config.yaml"), "--set", "name=array", "--set", "data.train=\(array)",
            "--set", "data.on_error=skip",
        ])
        #expect(trained.code == 65 && !trained.errors.contains("skipped"), "\(trained.errors)")
    }

    /// Fields whose names nobody knows are the sides that the command line says.
    @Test func columnsOfAnyName() throws {
        let text = try TextRun()
        for (name, query, target) in [("known", "text", "caption"), ("other", "frage", "antwort")] {
            try text.write(
                "\(name).jsonl", (0..<6).map { #"{"\#(query)": "what is \#($0)", "\#(target)": "it is \#($0)"}"# })
        }
        try text.write("corpus-six.txt", (0..<6).map { "it is \($0)" })
        func run(_ command: [String], _ name: String, _ more: [String] = []) throws -> Outcome {
            try Program.run(
                command.map { $0.replacing("@", with: text.folder.file("\(name)")) } + ["--run", text.run]
                    + more)
        }
        let index = [
            "embed", "--input", text.folder.file("corpus-six.txt"), "--side", "target", "--output",
            text.folder.file("six.npy"),
        ]
        #expect(try run(index, "").code == 0)
        let (evaluate, mine) = (
            ["evaluate", "--json", "--data", "set=@.jsonl"], ["mine", "--data", "@.jsonl", "--output", "@-mined.jsonl"]
        )
        let search = [
            "search", "--index", text.folder.file("six.npy"), "--queries", "@.jsonl", "--rows",
            text.folder.file("corpus-six.txt"),
        ]
        let columns = ["--query-column", "frage", "--target-column", "antwort"]
        for command in [evaluate, search] {
            let known = try run(command, "known")
            try #require(known.code == 0 && !known.output.isEmpty, "\(known.errors)")
            #expect(try run(command, "other", columns).output == known.output)
            #expect(try run(command, "other").code == 65)
        }
        #expect(try run(mine, "other", columns + ["--negatives", "2"]).code == 0)
        let first = try String(contentsOfFile: text.folder.file("other-mined.jsonl"), encoding: .utf8).prefix {
            $0 != "\n"
        }
        #expect(first.contains(#""frage":"what is 0""#) && first.contains(#""antwort":"it is 0""#), "\(first)")
    }

    /// Each text of a list of positives is one; lists are written whole, and read again as what they were; ids are written as they came.
    @Test func minedListsOfPositivesAreWhole() throws {
        let text = try TextRun()
        func passages(_ row: Int) -> [String] { ["it is \(row)", "it is \((row + 1) % 6)"] }
        try text.write(
            "lists.jsonl",
            (0..<6).map { row in
                let list = passages(row).enumerated().map { place, text in
                    #"{"text": "\#(text)"\#(row == 4 && place == 0 ? #", "docid": "d""# : "")}"#
                }.joined(separator: ", ")
                let id = [0: #""id": 0, "#, 1: #""id": "1", "#, 2: #""id": "k", "#][row] ?? ""
                return #"{\#(id)"text": "what is \#(row)", "caption": [\#(list)]}"#
            })
        for (input, output) in [("lists.jsonl", "mined.jsonl"), ("mined.jsonl", "again.jsonl")] {
            let outcome = try Program.run([
                "mine", "--run", text.run, "--data", text.folder.file(input), "--output", text.folder.file(output),
                "--negatives", "5",
            ])
            try #require(outcome.code == 0, "\(outcome.errors)")
            let lines = try String(contentsOfFile: text.folder.file(output), encoding: .utf8).split(separator: "\n")
            #expect(lines.count == 6)
            for (row, line) in lines.enumerated() {
                let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
                #expect((object["caption"] as? [[String: String]])?.compactMap { $0["text"] } == passages(row))
                #expect(object["id"] as? Int == (row == 0 ? 0 : nil))
                #expect(object["id"] as? String == [1: "1", 2: "k"][row] && (object["id"] == nil) == (row > 2))
                #expect(
                    (object["caption"] as? [[String: String]])?.map { $0["docid"] } == [row == 4 ? "d" : nil, nil])
                let negatives = Set(try #require(object["negatives"] as? [String]))
                #expect(negatives == Set((0..<6).map { "it is \($0)" }).subtracting(passages(row)))
            }
        }
    }
}
