// One row's fields, whatever file they come from. Not here: which of them are the sides of a pair (RowMapper).

import Failures

/// What a field holds.
enum FieldValue: Equatable {
    case text(String)
    /// A number, true or false, as it is written.
    case scalar(String)
    case list([FieldValue])
    /// An object with a text, such as `{"docid": "7", "title": "Tree", "text": "A tree is …"}`.
    case passage(id: String?, text: String)
    case picture(PictureLocation)
    case null
    case other
}

/// The fields of one row; they are looked up, and built, on request.
protocol RowFields {
    /// In the order written.
    var names: [String] { get }
    /// Nil where there is no such field.
    func value(_ name: String) throws(Failure) -> FieldValue?
}

/// A JSON object's fields. `a.b` is the field `b` of the object `a`, unless a field has that very name.
struct JSONFields: RowFields {
    private let bytes: UnsafeRawBufferPointer
    private let fields: [(name: String, value: JSONField)]

    /// - Parameter bytes: must outlive this value.
    init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) throws(JSONLineError) {
        self.bytes = bytes
        fields = try JSONLine.fields(bytes, range)
    }

    var names: [String] { fields.map(\.name) }

    func value(_ name: String) throws(Failure) -> FieldValue? {
        find(fields, name[...]).map { content($0, depth: 0) }
    }

    private func find(_ fields: [(name: String, value: JSONField)], _ path: Substring) -> JSONField? {
        if let field = fields.first(where: { $0.name == path }) { return field.value }
        guard let dot = path.firstIndex(of: "."), let parent = fields.first(where: { $0.name == path[..<dot] }),
            case .object(let range) = parent.value, let inner = try? JSONLine.fields(bytes, range)
        else { return nil }
        return find(inner, path[path.index(after: dot)...])
    }

    private func content(_ field: JSONField, depth: Int) -> FieldValue {
        switch field {
        case .string(let range): .text(JSONLine.text(bytes, range))
        case .scalar(let range):
            bytes[range].elementsEqual("null".utf8) ? .null : .scalar(String(decoding: bytes[range], as: UTF8.self))
        case .array(let range): list(range, depth: depth)
        case .object(let range): passage(range)
        }
    }

    private func list(_ range: Range<Int>, depth: Int) -> FieldValue {
        guard depth < 1, let elements = try? JSONLine.elements(bytes, range) else { return .other }
        return .list(elements.map { content($0, depth: depth + 1) })
    }

    private func passage(_ range: Range<Int>) -> FieldValue {
        guard let fields = try? JSONLine.fields(bytes, range) else { return .other }
        func text(_ name: String) -> String? {
            guard let field = fields.first(where: { $0.name == name }) else { return nil }
            switch field.value {
            case .string(let range): return JSONLine.text(bytes, range)
            case .scalar(let range) where name == "docid": return String(decoding: bytes[range], as: UTF8.self)
            default: return nil
            }
        }
        guard let body = text("text") else { return .other }
        let title = text("title").flatMap { $0.isEmpty ? nil : $0 }
        return .passage(id: text("docid"), text: title.map { "\($0) \(body)" } ?? body)
    }
}

/// Fields that are texts, an empty one of which is none.
struct TextFields: RowFields {
    let names: [String]
    let values: [String]

    func value(_ name: String) throws(Failure) -> FieldValue? {
        names.firstIndex(of: name).map { .text(values[$0]) }
    }
}
