// The files by which a run is watched from outside. Not here: who watches (Tests/Faults).

import Foundation
import Testing

@testable import Training

@Suite(.serialized) struct HeartbeatTests {
    private func json(_ path: String) throws -> [String: Any]? {
        try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path))) as? [String: Any]
    }

    /// The marker is there when all steps are done, and only then: not after a stop, and not while a longer run goes on.
    @Test(arguments: [1, 3]) func markerMeansDone(_ ranks: Int) throws {
        let tiny = try TinyRun.shared.get()
        let name = "marker-\(ranks)"
        let configuration = try tiny.configuration(["steps=6"], name: name)
        let folder = RunFolder(configuration.folder)
        try train(configuration, ranks: ranks, stopAfter: 4)
        #expect(!FileManager.default.fileExists(atPath: folder.doneMarker))
        try train(configuration, ranks: ranks)
        #expect(try json(folder.doneMarker)?["step"] as? Int == 6)
        let heartbeat = try #require(try json(folder.heartbeat))
        #expect(heartbeat["phase"] as? String == "checkpoint")
        #expect(heartbeat["step"] as? Int == 6 && heartbeat["steps"] as? Int == 6)
        #expect(heartbeat["ranks"] as? Int == ranks)
        #expect(abs((heartbeat["time"] as? Double ?? 0) - Date().timeIntervalSince1970) < 60)

        let longer = try tiny.configuration(["steps=9"], name: name)
        try train(longer, ranks: ranks, stopAfter: 7)
        #expect(!FileManager.default.fileExists(atPath: folder.doneMarker))
    }

    /// A start-up is told of where the folder is ready for it and says nothing else, and renewed until it is over.
    @Test func aStartUpIsAnnounced() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "heartbeat-\(UUID())").path
        let path = "\(folder)/heartbeat.json"
        let early = Heartbeat(ranks: 2)
        early.announce(at: path)
        early.renew()
        #expect(!FileManager.default.fileExists(atPath: folder))
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let heartbeat = Heartbeat(ranks: 2)
        heartbeat.announce(at: path)
        #expect(try json(path)?["phase"] as? String == "start")
        try FileManager.default.removeItem(atPath: path)
        heartbeat.renew()
        #expect(try json(path)?["phase"] as? String == "start")
        heartbeat.beat(.data, step: 3)
        try FileManager.default.removeItem(atPath: path)
        heartbeat.renew()
        #expect(!FileManager.default.fileExists(atPath: path))
        // A slow disk is no reason to end a run, either.
        heartbeat.beat(.checkpoint, step: 3)
        try FileManager.default.removeItem(atPath: path)
        heartbeat.renew()
        #expect(try json(path)?["phase"] as? String == "checkpoint")
        // Another process's.
        try Data("{}".utf8).write(to: URL(fileURLWithPath: path))
        let other = Heartbeat(ranks: 1)
        other.announce(at: path)
        other.renew()
        #expect(try json(path)?.isEmpty == true)
    }

    /// Steps follow each other faster than anyone looks: the file is not written for each, but for every other phase.
    @Test func stepsAreNotAllWritten() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "heartbeat-\(UUID()).json").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let heartbeat = Heartbeat(ranks: 1)
        heartbeat.beat(.step, step: 3)
        #expect(!FileManager.default.fileExists(atPath: path))
        heartbeat.write(to: path, steps: 10)
        #expect(try json(path)?["step"] as? Int == 3)
        heartbeat.beat(.step, step: 4)
        #expect(try json(path)?["step"] as? Int == 3)
        #expect(heartbeat.state.step == 4)
        heartbeat.beat(.checkpoint, step: 5)
        #expect(try json(path)?["step"] as? Int == 5)
        usleep(300_000)
        heartbeat.beat(.data, step: 6)
        #expect(try json(path)?["step"] as? Int == 6)
    }
}
