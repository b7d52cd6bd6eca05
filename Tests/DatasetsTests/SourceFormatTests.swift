// Files that other tools made, row by row, and resuming in the middle of each. Not here: what is wrong with files (SourceErrorTests).

import Foundation
import Pictures
import Testing

@testable import Datasets

@Suite struct SourceFormatTests {
    /// Who waits for another's unpacking notes that it gets on.
    @Test func waitingForAnUnpackingIsNoted() throws {
        let folder = try TemporaryFolder()
        let (lock, partial) = (try folder.write("x.lock", "".utf8), try folder.write("x.partial", "".utf8))
        let (holder, waiter) = (open(lock, O_RDWR | O_CLOEXEC), open(lock, O_RDWR | O_CLOEXEC))
        defer {
            close(holder)
            close(waiter)
        }
        try #require(flock(holder, LOCK_EX | LOCK_NB) == 0)
        let before = Unpacking.progress
        let thread = Thread {
            for length in 1...3 {
                usleep(250_000)
                truncate(partial, off_t(length))
            }
            flock(holder, LOCK_UN)
        }
        thread.start()
        try Unpacking.take(waiter, watching: partial, folder: folder.path)
        #expect(Unpacking.progress - before >= 2)
    }

    /// What the first row's fields are taken for, as people are told.
    @Test(arguments: [
        (
            "a.jsonl", #"{"query": "q", "positive": "p", "hard_negative": "n"}"#,
            "query ← query, target ← positive, negatives ← none; unused fields: hard_negative"
        ),
        (
            "a.jsonl", #"{"id": 1, "anchor": "q", "anchors": ["r"], "pos": ["p"], "neg_2": "m", "neg_1": "n"}"#,
            "query ← anchor, target ← pos, negatives ← neg_1, neg_2"
        ),
        (
            "a.csv", "split,question,answer\nx,q,a\n",
            "query ← question, target ← answer, negatives ← none; unused fields: split"
        ),
    ]) func fieldsThatWereTaken(_ name: String, _ text: String, _ summary: String) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(name, text.utf8)
        let columns = SourceColumns(query: Column(nil, .text), target: Column(nil, .text))
        let source = try SourceDescription(paths: [path], columns: columns).open()
        #expect(source.takenFields.map(\.summary) == [summary] && source.takenFields.map(\.source) == [path])
        #expect(MixedSource([source, source]).takenFields.count == 2)
        #expect(WrongPairs(SelectedRows(source, rows: [0]), share: 0, seed: 1).takenFields == source.takenFields)
    }

    @Test(arguments: SourceFixture.allCases) func rowsAreThoseWritten(_ fixture: SourceFixture) throws {
        let rows = try SourceFixture.rows.get()
        let source = try fixture.source()
        try #require(source.count == 12 && source.skipped == 0)
        for index in 0..<12 {
            let row = try source.row(index)
            // Text files of their own carry no white space around the text; folders sort pictures by class.
            var (number, caption) = (index, rows.captions[index])
            switch fixture {
            case .shards, .matchedShards, .packedShard, .sidecars:
                caption = caption.trimmingCharacters(in: .whitespacesAndNewlines)
            case .classes:
                number = index % 4 * 3 + index / 4
                caption = "\("abc".map(String.init)[number % 3]) class"
            case .tevatron: caption = "title \(index) \(caption)"
            default: break
            }
            switch (row.query, row.target) {
            case (.text(let question, _), .text(let text, let others)):
                #expect(question == rows.questions[number] && text == caption && others.isEmpty)
            case (.text(let question, _), .choice(let texts)):
                #expect(question == rows.questions[number] && texts == [caption, "other \(number)"])
            case (.picture(let location), .text(let text, let others)):
                #expect(text == caption && others.isEmpty)
                let picture = try Picture.read(location)
                #expect(picture.width == 6 && picture.height == 6)
                let colour: [UInt8] = [20 * UInt8(number), 255 - 20 * UInt8(number), UInt8(number)]
                #expect(Array(picture.pixels.prefix(3)) == colour)
            default: Issue.record("row \(index) is \(row)")
            }
        }
    }

    /// Everything in a global batch, put together from its ranks.
    private struct Whole: Equatable {
        var step: Int
        var rows: [Int]
        var ids: [Int64]
        var targetIDs: [Int64]
        var pictures: [Float]
        var queries: [[Int32]]
        var targets: [[Int32]]
    }

    private func batch(_ ranks: [BatchLoader]) throws -> Whole {
        let parts = try ranks.map { try $0.next() }
        return Whole(
            step: parts[0].step, rows: parts.flatMap(\.rowIndices), ids: parts.flatMap(\.ids),
            targetIDs: parts.flatMap(\.targetIDs), pictures: parts.flatMap { $0.queries.floats },
            queries: parts.flatMap { $0.queries.texts }, targets: parts.flatMap { $0.targets.texts })
    }

    @Test(arguments: SourceFixture.allCases, [1, 2, 3]) func resumingGivesTheSameRows(
        _ fixture: SourceFixture, ranks: Int
    ) throws {
        func loaders(_ count: Int, from first: Int) throws -> [BatchLoader] {
            let source = try fixture.source()
            let sampler = try GlobalSampler(ids: source.ids, globalBatch: 5, seed: 11)
            return try (0..<count).map {
                try BatchLoader(
                    source: source, sampler: sampler, preparation: fixture.preparation, seed: 11, rank: $0,
                    worldSize: count, steps: first...7, maximumNegatives: 2, prefetch: 1)
            }
        }
        let whole = try loaders(1, from: 1)
        for _ in 1...3 { _ = try batch(whole) }
        let resumed = try loaders(ranks, from: 4)
        for _ in 4...7 { #expect(try batch(resumed) == batch(whole)) }
    }

    @Test(arguments: SourceFixture.allCases) func heldOutDataCanHaveEveryFormat(_ fixture: SourceFixture) throws {
        let set = try EvaluationSet(source: fixture.source(negatives: []), preparation: fixture.preparation)
        #expect(set.count == 12 && set.gallery.count == (fixture == .classes ? 3 : fixture == .tevatron ? 6 : 12))
        #expect(try set.targets(0..<12).rows == 12 && set.queries([3]).rows == 1)
    }

    /// A folder's captions are its concepts; a document that answers two questions is no negative of either.
    @Test func conceptsFollowFoldersAndDocuments() throws {
        let classes = try SourceFixture.classes.source().ids
        #expect(Set(classes).count == 3 && classes[0] == classes[3] && classes[3] != classes[4])
        let source = try SourceFixture.tevatron.source()
        #expect(source.ids[0] == source.ids[6] && source.ids[0] != source.ids[1])
        // Row 1 has the negative d2, which is the positive of rows 2 and 8.
        #expect(try source.row(1).negatives.map(\.id) == [source.ids[2]])
    }

    @Test func negativesAreRead() throws {
        let rows = try SourceFixture.rows.get()
        for fixture in [SourceFixture.flag, .tevatron] {
            let source = try fixture.source()
            #expect(source.parts == [SourcePart(rows: 0..<12, maximumNegatives: 3)])
            for index in 0..<12 {
                #expect(try source.row(index).negatives.map(\.side.displayText) == rows.negatives[index])
            }
        }
    }

    @Test func columnsAreFoundInsideJSON() throws {
        let rows = try SourceFixture.rows.get()
        let columns = SourceColumns(
            query: Column("json.meta.question", .text, prefix: "query: "), target: Column("txt", .text), id: "cls")
        let source = try SourceDescription(paths: [SourceFixture.shards.path], columns: columns).open()
        let row = try source.row(5)
        #expect(row.query == .text(rows.questions[5], alternatives: []) && row.queryPrefix == "query: ")
        #expect(row.place == "\(SourceFixture.folder)/shard-000001.tar:part/0005")
        #expect(Set(source.ids).count == 3 && source.ids[1] == source.ids[4])
    }

    @Test(arguments: ["gnu.tar", "pax.tar"]) func longNamesAndOtherMembers(_ name: String) throws {
        let rows = try SourceFixture.rows.get()
        let columns = SourceColumns(query: Column("png", .picture), target: Column("seg.txt", .text))
        let source = try SourceDescription(paths: ["\(SourceFixture.folder)/\(name)"], columns: columns).open()
        try #require(source.count == 3)
        for index in 0..<3 {
            let row = try source.row(index)
            #expect(row.target == .text(rows.captions[index], alternatives: []))
            #expect(row.place.hasSuffix("long name é\(index)"), "\(row.place)")
            guard case .picture(let location) = row.query else { continue }
            let colour: [UInt8] = [20 * UInt8(index), 255 - 20 * UInt8(index)]
            #expect(try Array(Picture.read(location).pixels.prefix(2)) == colour)
        }
    }

    /// Of as many files as there are, few are open.
    @Test func filesAreClosedAgain() throws {
        let folder = try TemporaryFolder()
        let pool = FilePool(capacity: 3)
        for index in 0..<20 { try folder.write("\(index)", "content \(index)".utf8) }
        for index in [0, 1, 2, 3, 0, 19, 4, 7, 0] + Array(0..<20) {
            let bytes = try pool.bytes(of: "\(folder.path)/\(index)", 3..<8 + "\(index)".count)
            #expect(String(decoding: bytes, as: UTF8.self) == "tent \(index)")
            #expect(pool.openFiles <= 3)
        }
    }

    /// A shard of the same size and the same members with another caption or picture is another shard; a shard that was moved is not.
    @Test func changedShardsAreNoticed() throws {
        _ = try SourceFixture.rows.get()
        let folder = try TemporaryFolder()
        let columns = SourceColumns(query: Column("png", .picture), target: Column("seg.txt", .text))
        let original = try #require(FileManager.default.contents(atPath: "\(SourceFixture.folder)/gnu.tar"))
        func fingerprint(_ data: Data) throws -> UInt64 {
            let path = try folder.write("shard.tar", data)
            return try SourceDescription(paths: [path], columns: columns).open().fingerprint
        }
        let before = try fingerprint(original)
        #expect(try fingerprint(original) == before)
        let trailer = try #require(original.range(of: Data("IEND".utf8)))
        var changed = original
        changed[trailer.lowerBound - 6] ^= 1
        #expect(try fingerprint(changed) != before)
    }

    /// Cut into pieces anyhow, equal bytes have one fingerprint, and a changed bit another.
    @Test func fingerprintsDependOnBytesAlone() {
        let bytes = (0..<100).map { UInt8($0 * 7 % 251) }
        func value(_ cuts: [Int], _ bytes: [UInt8]) -> UInt64 {
            var fingerprint = Fingerprint()
            for (start, end) in zip([0] + cuts, cuts + [bytes.count]) {
                bytes[start..<end].withUnsafeBytes { fingerprint.add($0) }
            }
            return fingerprint.value
        }
        let whole = value([], bytes)
        for cuts in [[1], [8], [3, 5, 21], [7, 8, 9, 64], [0, 0, 99]] { #expect(value(cuts, bytes) == whole) }
        var changed = bytes
        changed[98] ^= 1
        #expect(value([], changed) != whole && value([], bytes + [0]) != whole)
    }

    @Test func patternsStandForFiles() throws {
        let folder = try TemporaryFolder()
        for name in ["a-09.x", "a-10.x", "b.x", "c{1}.x"] { try folder.write(name, "".utf8) }
        func files(_ pattern: String) throws -> [String] {
            try PathPattern.files([folder.path + "/" + pattern]).map { String($0.dropFirst(folder.path.count + 1)) }
        }
        #expect(try files("a-{09..11}.x") == ["a-09.x", "a-10.x", "a-11.x"])
        #expect(try files("{b,a-10}.x") == ["b.x", "a-10.x"])
        #expect(try files("{p,q}{0..1}") == ["p0", "p1", "q0", "q1"])
        #expect(try files("a-*.x") == ["a-09.x", "a-10.x"] && files("c{1}.x") == ["c{1}.x"])
        #expect(failureMessage(.inputMissing) { _ = try files("z*.x") }.hasPrefix("no file matches"))
        for wrong in ["{1..x}", "{3..1}", "{5}", "{}", "{0..4000000000}"] {
            #expect(!failureMessage(.configuration) { _ = try files(wrong) }.isEmpty, "\(wrong)")
        }
        #expect(try files(String(repeating: "{1..1}", count: 64)) == [String(repeating: "1", count: 64)])
        let many = failureMessage(.configuration) { _ = try files(String(repeating: "{1..1}", count: 40_000)) }
        #expect(many.contains("more than 64 braces"), "\(many)")
    }

    /// A link to a folder is a folder of data, and a byte order mark is no part of a caption.
    @Test func foldersThatAreLinksAndMarkedCaptions() throws {
        let folder = try TemporaryFolder()
        for name in ["a", "b"] { try folder.picture("real/\(name).png", index: 1) }
        try folder.write("real/a.txt", Array("\u{FEFF}one\n".utf8))
        try folder.write("real/b.txt", Array("two".utf8))
        let link = "\(folder.path)/link"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "\(folder.path)/real")
        let columns = SourceColumns(query: Column(nil, .picture), target: Column(nil, .text))
        func open() throws -> any PairSource { try SourceDescription(paths: [link], columns: columns).open() }
        let source = try open()
        #expect(try (0..<source.count).map { try source.row($0).target.displayText } == ["one", "two"])
        try folder.write("real/b.txt", Array("three".utf8))
        #expect(try open().fingerprint != source.fingerprint)
    }

    /// What cannot be listed is said: its pictures would be missing without a word. The superuser may list everything.
    @Test(.enabled(if: geteuid() != 0)) func foldersThatCannotBeListedAreNamed() throws {
        let folder = try TemporaryFolder()
        for name in ["a/1", "b/2"] { try folder.picture("\(name).png", index: 1) }
        #expect(chmod("\(folder.path)/b", 0) == 0)
        defer { chmod("\(folder.path)/b", 0o700) }
        let columns = SourceColumns(query: Column(nil, .picture), target: Column(nil, .text))
        let message = failureMessage(.inputMissing) {
            _ = try SourceDescription(paths: [folder.path], columns: columns).open(onError: .skip(maximumShare: 1))
        }
        #expect(message.contains("\(folder.path)/b"), "\(message)")
        let labelled = failureMessage(.inputMissing) {
            _ = try LabelledPictures(path: folder.path, column: Column(nil, .picture))
        }
        #expect(labelled.contains("\(folder.path)/b"), "\(labelled)")
    }
}
