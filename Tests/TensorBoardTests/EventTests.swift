// Event files against TensorBoard's own bytes and published checksums. Not here: a run's events (TrainingTests).

import Failures
import Foundation
import Testing

@testable import TensorBoard

/// A folder that disappears with its last reference.
private final class Folder {
    let path = NSTemporaryDirectory() + "fanoise-events-\(UUID().uuidString)"
    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }
    var files: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }
}

@Suite struct ChecksumTests {
    /// RFC 3720, appendix B.4, and the check value of the catalogue of parametrised CRC algorithms.
    static let published: [([UInt8], UInt32)] = [
        ([], 0), (Array("123456789".utf8), 0xE306_9283), (Array(repeating: 0, count: 32), 0x8A91_36AA),
        (Array(repeating: 0xFF, count: 32), 0x62A8_AB43), (Array(0..<32), 0x46DD_794E),
        (Array((0..<32).reversed()), 0x113F_DB5C),
    ]

    @Test(arguments: published) func checksum(_ bytes: [UInt8], _ value: UInt32) {
        #expect(CRC32C.checksum(bytes) == value)
    }
}

@Suite struct EventTests {
    private static func summaries() throws -> [Summary] {
        let png: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
        return [
            Summary("train/loss", .scalar(0.1)), Summary("häuser/größe", .scalar(-1e-20)),
            Summary("query/spectrum", .histogram(try #require(Histogram([2, 2, 2])))),
            Summary("unseen/found", .picture(png: png, width: 300, height: 2)),
        ]
    }

    /// Byte for byte what TensorBoard writes.
    @Test func goldenFile() throws {
        let folder = try Folder()
        let writer = try EventWriter(folder: folder.path, firstStep: 41) { 1234.5 }
        try writer.write(Self.summaries(), step: 300)
        try writer.write([], step: 301)
        try writer.flush()
        let golden = try #require(Data(base64Encoded: GoldenEvents.file, options: .ignoreUnknownCharacters))
        #expect(try Data(contentsOf: URL(fileURLWithPath: writer.path)) == golden)
        #expect(writer.path.contains("/events.out.tfevents.1234."))
    }

    /// Every file is a new one, whose name sorts behind those before it.
    @Test func filesFollowEachOther() throws {
        let folder = try Folder()
        for step in 1...3 {
            try EventWriter(folder: folder.path, firstStep: step) { 1000 }.write(Self.summaries(), step: step)
        }
        #expect(folder.files.count == 3)
        #expect(folder.files.map { $0.split(separator: ".")[3] } == ["1000", "1001", "1002"])
    }

    @Test(
        arguments: [
            ([], 5.9, 5), (["events.out.tfevents.9.h.1.0"], 5, 10), (["events.out.tfevents.x", "other.9"], 7, 7),
            (["events.out.tfevents.3.h"], 5, 5), (["events.out.tfevents.99999999999999.h"], 5, 5),
        ] as [([String], Double, Int)])
    func number(_ names: [String], _ now: Double, _ expected: Int) {
        #expect(EventWriter.number(after: names, now: now) == expected)
    }

    @Test func aFolderThatIsMissing() throws {
        let failure = try #require(throws: Failure.self) { try EventWriter(folder: "/nowhere/at/all", firstStep: 1) }
        #expect(failure.kind == .cannotCreate && failure.message.contains("log.tensorboard"))
    }
}

@Suite struct HistogramTests {
    @Test(
        arguments: [
            [1.0, 2, 3], [5], [-1e300, 1e300], [0, 0, 1], [.nan, 1, .infinity, 2], (0..<1000).map { Double($0 % 37) },
            [1, 1.0000000000000002], [-Double.greatestFiniteMagnitude, .greatestFiniteMagnitude],
        ] as [[Double]])
    func bucketsHoldEveryValue(_ values: [Double]) throws {
        let finite = values.filter(\.isFinite)
        let histogram = try #require(Histogram(values))
        #expect(histogram.counts.reduce(0, +) == Double(finite.count) && histogram.count == Double(finite.count))
        #expect(histogram.limits.count == histogram.counts.count)
        #expect(zip(histogram.limits, histogram.limits.dropFirst()).allSatisfy { $0 <= $1 })
        #expect(histogram.limits.last == finite.max() && histogram.least == finite.min())
        #expect(histogram.counts.first.map { $0 >= 1 } == true && histogram.counts.last.map { $0 >= 1 } == true)
    }

    @Test(arguments: [[], [Double.nan, .infinity]]) func nothing(_ values: [Double]) {
        #expect(Histogram(values) == nil)
    }
}
