// What must be kept of published weights, beside the parameters, to write them again as they were. Not here: writing (PublishedWriter).

import ArrayFiles
import Failures
public import Foundation

/// Names and element types of published tensors, and the tensors that nothing computes with.
public struct PublishedRecord: Sendable {
    struct Names: Codable, Equatable {
        /// Expected names that are others in the file.
        var names: [String: String] = [:]
        /// Element types by expected name.
        var types: [String: String] = [:]
        /// The logarithm of the logits' scale, and their bias.
        var logScale: Float?
        var bias: Float?
    }

    var names = Names()
    /// A safetensors file.
    var unused = Data()

    private static let namesFile = "weights-record"
    /// The file of the tensors that nothing computes with.
    public static let unusedFile = "weights-unused"

    /// Names that the record's files have beside those of the model.
    public static let fileNames = [namesFile, unusedFile]

    init(names: Names, unused: Data) {
        self.names = names
        self.unused = unused
    }

    /// ln τ as published; nil where the model has no logits.
    public var logTemperature: Float? { names.logScale.map { -$0 } }
    /// The published bias of the logits.
    public var logitBias: Float? { names.bias }

    /// The record as files.
    public var files: [String: Data] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let names = (try? encoder.encode(names)) ?? Data()
        return [Self.namesFile: names, Self.unusedFile: unused]
    }

    /// Reads what `files` gave.
    /// - Throws: `Failure(.data)` when it is something else.
    public init(files: [String: Data], origin: String) throws {
        guard let data = files[Self.namesFile], let names = try? JSONDecoder().decode(Names.self, from: data),
            let unused = files[Self.unusedFile]
        else { throw Failure(.data, "\(origin): the record of the published weights is missing or damaged") }
        (self.names, self.unused) = (names, unused)
    }
}
