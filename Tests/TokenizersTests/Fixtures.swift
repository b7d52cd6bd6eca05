// Small files and failures of the tests themselves. Not here: the tests.

import Failures
import Foundation
import Testing

/// A folder that is removed with its content when the object goes.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "tokenizers-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @discardableResult
    func write(_ name: String, _ content: some Sequence<UInt8>) throws -> String {
        let file = path + "/" + name
        try Data(content).write(to: URL(fileURLWithPath: file))
        return file
    }
}

/// The message of the failure that `body` throws, "" for none.
func failureMessage(_ kind: Failure.Kind, _ body: () throws -> Void) -> String {
    do { try body() } catch let failure as Failure {
        #expect(failure.kind == kind)
        return failure.message
    } catch {
        Issue.record("unexpected \(error)")
    }
    return ""
}
