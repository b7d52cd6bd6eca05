// The data set that Fixtures/sources.py writes in every format. Not here: tests.

import Failures
import Foundation
import Testing
import Tokenizers

@testable import Datasets

/// Twelve pairs, as files that other tools made.
enum SourceFixture: String, CaseIterable, CustomTestStringConvertible {
    case csv = "pairs.csv"
    case csvWithMark = "pairs.bom.csv"
    case tsv = "pairs.tsv"
    case jsonl = "pairs.jsonl"
    case packedJSONL = "pairs.jsonl.gz"
    case flag = "flag.jsonl"
    case tevatron = "tevatron.jsonl"
    case shards = "shard-{000000..000002}.tar"
    case matchedShards = "shard-*.tar"
    case packedShard = "whole.tar.gz"
    case imageFolder = "imagefolder"
    case sidecars = "sidecar"
    case classes = "classes/"

    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures").path

    struct Rows: Decodable {
        var captions: [String]
        var questions: [String]
        var negatives: [[String]]
    }
    /// Where compressed files are unpacked.
    private static func unpacked() -> String { NSTemporaryDirectory() + "datasets-cache-\(getpid())" }
    static let rows = Result {
        setenv("FANOISE_CACHE", unpacked(), 1)
        atexit { try? FileManager.default.removeItem(atPath: SourceFixture.unpacked()) }
        return try JSONDecoder().decode(Rows.self, from: Data(contentsOf: URL(filePath: folder + "/rows.json")))
    }

    var testDescription: String { rawValue }
    var path: String { Self.folder + "/" + rawValue }

    var queryKind: ColumnKind {
        switch self {
        case .csv, .csvWithMark, .tsv, .jsonl, .packedJSONL, .flag, .tevatron: .text
        default: .picture
        }
    }

    /// Opened without naming a column.
    func source(negatives: [String]? = nil) throws -> any PairSource {
        _ = try Self.rows.get()
        let columns = SourceColumns(query: Column(nil, queryKind), target: Column(nil, .text), negatives: negatives)
        return try SourceDescription(paths: [path], columns: columns).open()
    }

    /// Pictures keep all that they show.
    var preparation: PairPreparation {
        let text = SidePreparation.text(
            TextPreparation(tokenizer: byteTokenizer, contextLength: 400, nameProbability: 0.5))
        return PairPreparation(
            query: queryKind == .text ? text : .pictures(PicturePreparation(size: 6, shift: 1)), target: text)
    }
}
