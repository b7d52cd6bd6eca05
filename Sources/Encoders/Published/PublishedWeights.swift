// The weights of a published directory: finding every tensor, or saying which are missing; filling parameters. Not here: which
// tensors a family has (PublishedModel), writing them again (PublishedWriter).

public import ArrayFiles
public import Autograd
import Buffers
import Failures
import Foundation
import Kernels

/// Weights of a published model, mapped into memory. Local.
public struct PublishedWeights: Sendable {
    private let model: PublishedModel
    private let directory: String
    private let files: [String: SafetensorsFile]
    private let names: PublishedRecord.Names
    /// Tensors that nothing computes with.
    private let unused: [String]

    /// Opens `model.safetensors`, its shards, or `open_clip_model.safetensors`, and compares them with what the model must hold.
    /// - Throws: `Failure(.inputMissing)` without weights; `Failure(.data)`, listing the tensors that are missing, unexpected or of
    ///   another shape or type, with what was expected and found.
    public init(directory: String, of model: PublishedModel) throws {
        self.model = model
        self.directory = directory
        var files = try Self.open(directory, names: try Self.rootFiles(directory, model))
        let folders = Set(model.expected.compactMap { $0.name.contains("/") ? Self.folder(of: $0.name) : nil })
        for folder in folders.sorted() {
            let path = "\(directory)/\(folder)/model.safetensors"
            let file = try SafetensorsFile(path: path)
            for name in file.names { files["\(folder)/\(name)"] = file }
        }
        self.files = files
        (names, unused) = try Self.match(model, files, directory)
    }

    /// Of a list of shards; a name and its shard take a hundred bytes.
    private static let maximumIndexBytes = 1 << 26

    private static func folder(of name: String) -> String { String(name.prefix { $0 != "/" }) }

    private static func rootFiles(_ directory: String, _ model: PublishedModel) throws -> [String] {
        func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(directory)/\(name)") }
        let names =
            model.family == .openCLIP
            ? ["open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors"]
            : ["model.safetensors"]
        if let name = names.first(where: exists) { return [name] }
        let index = "model.safetensors.index.json"
        guard exists(index) else {
            let other = ["pytorch_model.bin", "open_clip_pytorch_model.bin", "tf_model.h5"].first(where: exists)
            throw Failure(
                .inputMissing,
                "\(directory): expected \(names[0])\(model.family == .openCLIP ? "" : " or \(index)"), found "
                    + (other.map { "\($0) only; save the model again as safetensors" } ?? "no weights"))
        }
        let file = try InputFile(path: "\(directory)/\(index)")
        guard file.byteCount <= maximumIndexBytes else {
            throw Failure(
                .data, "\(file.path): expected an index of at most \(maximumIndexBytes) bytes, found \(file.byteCount)")
        }
        let config = try PublishedConfig(
            Data(try file.bytes(at: 0, count: file.byteCount)), place: "\(directory)/\(index)")
        let shards = Set(try config.object("weight_map").textMembers().values)
        guard !shards.isEmpty, shards.allSatisfy({ !$0.contains("/") && !$0.hasPrefix(".") && !$0.isEmpty }) else {
            throw Failure(.data, "\(config.place): weight_map: expected names of files beside it")
        }
        return shards.sorted()
    }

    private static func open(_ directory: String, names: [String]) throws -> [String: SafetensorsFile] {
        var files: [String: SafetensorsFile] = [:]
        for name in names {
            let file = try SafetensorsFile(path: "\(directory)/\(name)")
            for tensor in file.names {
                guard files.updateValue(file, forKey: tensor) == nil else {
                    throw Failure(.data, "\(file.path): tensor '\(tensor)' is in another shard too")
                }
            }
        }
        return files
    }

    // MARK: - Comparing

    /// Names that a tensor may have in a file, most ordinary first.
    private static func spellings(_ name: String, prefix: String) -> [String] {
        var spellings = [name]
        if !prefix.isEmpty, !name.contains("/") { spellings.append(prefix + name) }
        // Names from before PyTorch: BERT's first checkpoints.
        for spelling in spellings where spelling.contains("LayerNorm.") {
            spellings.append(
                spelling.replacingOccurrences(of: "LayerNorm.weight", with: "LayerNorm.gamma")
                    .replacingOccurrences(of: "LayerNorm.bias", with: "LayerNorm.beta"))
        }
        return spellings
    }

    private static func match(
        _ model: PublishedModel, _ files: [String: SafetensorsFile], _ directory: String
    ) throws -> (PublishedRecord.Names, unused: [String]) {
        var record = PublishedRecord.Names()
        var left = Set(files.keys)
        var complaints: [(String, [String])] = [("missing", []), ("of another shape or type", []), ("unexpected", [])]
        for (name, shape) in model.expected {
            let found = spellings(name, prefix: model.prefix).first { files[$0] != nil }
            guard let found, let entry = entry(found, files) else {
                complaints[0].1.append("\(name) \(shape)")
                continue
            }
            left.remove(found)
            let isFloating = [.float32, .float16, .bfloat16, .float64].contains(entry.type)
            guard entry.shape == shape, isFloating else {
                complaints[1].1.append("\(found) (expected \(shape), found \(entry.type.rawValue) \(entry.shape))")
                continue
            }
            if found != name { record.names[name] = found }
            record.types[name] = entry.type.rawValue
        }
        let hasTaskHead = record.names.values.contains { !model.prefix.isEmpty && $0.hasPrefix(model.prefix) }
        complaints[2].1 = left.filter { !isKnown($0, model, hasTaskHead: hasTaskHead) }.sorted()
        guard complaints.allSatisfy(\.1.isEmpty) else {
            let list = complaints.filter { !$0.1.isEmpty }.map { what, names in
                "\(names.count) \(what): " + names.prefix(6).joined(separator: ", ")
                    + (names.count > 6 ? " and \(names.count - 6) more" : "")
            }
            throw Failure(
                .data,
                "\(directory): the weights are not those of the \(model.family.rawValue) model that its configuration describes "
                    + "(\(model.expected.count) tensors expected, \(files.count) found); \(list.joined(separator: "; "))"
            )
        }
        return (record, left.sorted())
    }

    private static func entry(_ name: String, _ files: [String: SafetensorsFile]) -> SafetensorsEntry? {
        guard let file = files[name] else { return nil }
        return file.entry(name) ?? file.entry(String(name.drop { $0 != "/" }.dropFirst()))
    }

    /// Whether a tensor may be there although nothing computes with it.
    private static func isKnown(_ name: String, _ model: PublishedModel, hasTaskHead: Bool) -> Bool {
        let inside = hasTaskHead && name.hasPrefix(model.prefix)
        // What stands outside the encoder is the head of another task.
        if hasTaskHead && !inside { return true }
        let bare = inside ? String(name.dropFirst(model.prefix.count)) : name
        return model.unused.contains { $0.hasSuffix("*") ? bare.hasPrefix($0.dropLast()) : bare == $0 }
    }

    // MARK: - Filling

    /// The tensors that nothing computes with.
    public func unusedTensors() throws -> [SafetensorsTensor] {
        try unused.map { name in
            guard let file = files[name], let entry = file.entry(name) else {
                preconditionFailure("tensor \(name) was not matched")
            }
            return (name, entry.shape, .bytes(try file.bytes(name), entry.type))
        }
    }

    /// What must be kept to write the weights again as they are.
    public func record() throws -> PublishedRecord {
        var names = names
        names.logScale = try model.logitScale.map { try floats($0.name)[0] }
        names.bias = try model.logitBias.map { try floats($0.name)[0] }
        return PublishedRecord(names: names, unused: Data(SafetensorsWriter.data(tensors: try unusedTensors())))
    }

    private func floats(_ name: String) throws -> Floats {
        let found = names.names[name] ?? name
        guard let file = files[found] else { preconditionFailure("tensor \(found) was not matched") }
        return try file.floats(file.entry(found) == nil ? String(found.drop { $0 != "/" }.dropFirst()) : found)
    }

    /// Overwrites the parameters of a tower, declared under `name`, with its tensors, as float32. The files keep no memory.
    /// - Throws: `Failure(.data)` when a tensor has a number that is not finite.
    public func fill(_ tower: PublishedTower, named name: String, _ parameters: Parameters) throws {
        for tensor in tower.tensors {
            let values = try floats(tensor.name)
            if let element = firstNonFinite(values) {
                throw Failure(
                    .data,
                    "\(directory): tensor '\(tensor.name)', element \(element) is not finite; fetch the weights anew")
            }
            let ordered = tensor.isTransposed ? Self.transposed(values, rows: tensor.shape[0]) : values
            var start = 0
            for piece in tensor.pieces {
                let target = parameters.part("\(name).\(piece.parameter)", piece.offset, piece.count)
                target.copy(from: ordered[start..<start + piece.count])
                start += piece.count
            }
        }
        // Once for every name of a file: there is nothing to do but the first time.
        for file in files.values { file.releasePages() }
    }

    /// The transpose of a matrix of `rows` rows.
    static func transposed(_ values: Floats, rows: Int) -> Floats {
        let columns = rows == 0 ? 0 : values.count / rows
        let result = Floats(count: values.count)
        for row in 0..<rows {
            for column in 0..<columns { result.base[column * rows + row] = values.base[row * columns + column] }
        }
        return result
    }
}

extension Parameters {
    /// A part of the values of a named parameter.
    func part(_ name: String, _ offset: Int, _ count: Int) -> Floats {
        guard let index = layout.index(of: name) else { preconditionFailure("there is no parameter \(name)") }
        let start = layout.entries[index].offset + offset
        precondition(
            offset + count <= layout.entries[index].count,
            "\(count) elements at \(offset) of \(name), which has \(layout.entries[index].count)")
        return values[start..<start + count]
    }
}
