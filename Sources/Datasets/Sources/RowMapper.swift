// From a row's fields to the two sides of a pair. Not here: reading fields from files (RowFields), the names recognised (ColumnNames).

import Failures

/// The two sides of a pair.
public enum PairRole: Sendable { case query, target }

/// Which fields of a source's rows are what.
public struct SourceColumns: Sendable, Equatable {
    public var query: Column
    public var target: Column
    /// Fields that hold negatives; nil for those with a recognised name, empty for none.
    public var negatives: [String]?
    /// The field that holds the concept; nil for `id`, where there is one.
    public var id: String?
    /// The side that is there alone, and stands in the place of both; nil for pairs.
    public var only: PairRole?
    /// Whether a side whose named field is missing is looked for under the names that are recognised, as if none were named.
    public var recognisesOthers = false

    public init(
        query: Column, target: Column, negatives: [String]? = nil, id: String? = nil, only: PairRole? = nil
    ) {
        self.query = query
        self.target = target
        self.negatives = negatives
        self.id = id
        self.only = only
    }

    /// The columns of both sides of a row.
    var sides: (query: Column, target: Column) {
        switch only {
        case nil: (query, target)
        case .query: (query, query)
        case .target: (target, target)
        }
    }
}

/// Makes pairs of fields, or says in a sentence what is wrong with them.
struct RowMapper: Sendable {
    let columns: SourceColumns

    /// - Parameters:
    ///   - folder: where paths of pictures begin.
    ///   - alternatives: whether captions besides the main one are wanted.
    func map(
        _ fields: some RowFields, place: String, folder: String, alternatives: Bool
    ) throws(Failure) -> PairRow {
        let reader = FieldReader(fields: fields, place: place, folder: folder)
        let names = fields.names
        let (query, target): (Found, Found)
        if let only = columns.only {
            let found = try side(columns.sides.query, only, other: nil, reader, names, alternatives)
            (query, target) = (found, found)
        } else {
            query = try side(columns.query, .query, other: columns.target.kind, reader, names, alternatives)
            target = try side(columns.target, .target, other: columns.query.kind, reader, names, alternatives)
        }
        let negatives = try negatives(reader, names)
        return PairRow(
            query: query.side, target: target.side, negatives: negatives, queryPrefix: columns.sides.query.prefix,
            targetPrefix: columns.sides.target.prefix, place: place, concept: try reader.id(columns.id) ?? target.id)
    }

    /// What a row's fields are taken for. Of a row that `map` takes.
    func taken(_ fields: some RowFields, source: String) -> TakenFields {
        func isThere(_ name: String) -> Bool { (try? fields.value(name)) != nil }
        func first(_ column: Column, _ side: PairRole, _ other: ColumnKind) -> String {
            let others = columns.recognisesOthers ? [Column(nil, column.kind)] : []
            return ([column] + others).flatMap { ColumnNames.candidates($0, side, other: other) }.first(where: isThere)
                ?? "none"
        }
        let names = fields.names
        var taken = TakenFields(
            source: source, query: first(columns.query, .query, columns.target.kind),
            target: first(columns.target, .target, columns.query.kind), negatives: negativeFields(names), unused: [])
        // Captions beside a main one lie in the field named like it with an s; of `a.b` the row has `a`.
        let sides = [(taken.query, columns.query.kind), (taken.target, columns.target.kind)]
        let used =
            sides.flatMap { $1 == .text ? [$0, $0 + "s"] : [$0] } + taken.negatives + [columns.id ?? "id"]
        let paths = Set(used + used.compactMap { $0.split(separator: ".").first.map(String.init) })
        taken.unused = names.filter { !paths.contains($0) }
        return taken
    }

    private typealias Found = (side: PairSide, id: ConceptName?)

    private func side(
        _ column: Column, _ side: PairRole, other: ColumnKind?, _ reader: FieldReader<some RowFields>,
        _ present: [String], _ alternatives: Bool
    ) throws(Failure) -> Found {
        let named = column.name == nil ? [] : ColumnNames.candidates(column, side, other: other)
        let recognised =
            column.name == nil || columns.recognisesOthers
            ? ColumnNames.candidates(Column(nil, column.kind), side, other: other) : []
        for (place, name) in (named + recognised).enumerated() {
            guard let value = try reader.fields.value(name) else { continue }
            if place >= named.count, column.kind == .text, other == .text,
                let label = ColumnNames.labels.first(where: { present.contains($0) })
            {
                throw reader.failure(
                    "the field \(label) says that a row may be no pair: keep the pairs alone, and name \(name) in the "
                        + "configuration as the column")
            }
            switch column.kind {
            case .picture: return (.picture(try reader.picture(name, value)), nil)
            case .text: return try reader.text(name, value, alternatives: alternatives)
            case .features: break
            }
        }
        throw reader.failure(missing(column, side, other, present))
    }

    private func missing(
        _ column: Column, _ side: PairRole, _ other: ColumnKind?, _ present: [String]
    ) -> String {
        let there = "there are: \(present.joined(separator: ", "))"
        let role = side == .query ? "query" : "target"
        if let name = column.name {
            let known = ColumnNames.candidates(Column(nil, column.kind), side, other: other).first {
                present.contains($0)
            }
            let advice =
                known.map { "; data.\(role).column: auto would take \($0)" }
                ?? (columns.recognisesOthers && columns.only != nil
                    ? "; `fanoise embed` takes another with --column" : "")
            return "the field \(name) is missing; \(there)\(advice)"
        }
        return
            "no field is known to hold the \(role)'s \(column.kind.rawValue); \(there). Name it in data.\(role).column, or with "
            + (columns.only == nil
                ? "--\(role)-column of `fanoise evaluate` and `mine`"
                : "--column of `fanoise embed`, --\(role)-column of `search`")
    }

    /// The fields that hold negatives: those that are named, or that are there under a recognised name.
    private func negativeFields(_ present: [String]) -> [String] {
        let recognised = ColumnNames.negatives.first { present.contains($0) }.map { [$0] } ?? []
        return columns.negatives ?? recognised + ColumnNames.numberedNegatives(present)
    }

    private func negatives(_ reader: FieldReader<some RowFields>, _ present: [String]) throws(Failure) -> [Negative] {
        var result: [Negative] = []
        let names = negativeFields(present)
        // Each is looked up among all fields of the row.
        guard names.count <= Negative.mostOfRow else {
            throw reader.failure("\(names.count) fields of negatives; a row may have \(Negative.mostOfRow) negatives")
        }
        for name in names {
            guard let value = try reader.fields.value(name) else {
                if columns.negatives == nil { continue }
                throw reader.failure("the field \(name) is missing; there are: \(present.joined(separator: ", "))")
            }
            result += try reader.negatives(name, value, kind: columns.target.kind)
        }
        guard result.count <= Negative.mostOfRow else {
            throw reader.failure("\(result.count) negatives; a row may have \(Negative.mostOfRow)")
        }
        return result
    }
}

/// The name of a concept: an id that the file gives, or a document's.
public enum ConceptName: Sendable, Equatable {
    case id(String)
    /// An id that is written as an integer; it is the concept of its decimal digits.
    case number(String)
    case document(String)

    /// What is hashed; ids and documents never meet.
    var bytes: ArraySlice<UInt8> {
        switch self {
        case .id(let id), .number(let id): ArraySlice(id.utf8)
        case .document(let id): ArraySlice("\0document \(id)".utf8)
        }
    }
}

/// One row's fields as sides.
private struct FieldReader<Fields: RowFields> {
    let fields: Fields
    let place: String
    let folder: String

    func failure(_ what: String) -> Failure { Failure(.data, "\(place): \(what)") }

    func id(_ name: String?) throws(Failure) -> ConceptName? {
        guard let value = try fields.value(name ?? "id") else {
            if let name {
                throw failure("the field \(name) is missing; there are: \(fields.names.joined(separator: ", "))")
            }
            return nil
        }
        switch value {
        case .text(let id) where !id.isEmpty: return .id(id)
        case .text where Fields.self == TextFields.self: return nil
        case .scalar(let number) where Int64(number) != nil: return .number(number)
        default: throw failure("\(name ?? "id") is neither a text nor an integer")
        }
    }

    /// A picture: a place of its own, or a path that stays in the folder.
    func picture(_ name: String, _ value: FieldValue) throws(Failure) -> PictureLocation {
        if case .picture(let location) = value { return location }
        guard case .text(let relative) = value else { throw failure("\(name) is not the path of a picture") }
        func refused(_ why: String) -> Failure { failure("\(name) '\(relative)' \(why)") }
        guard !relative.utf8.isEmpty else { throw refused("is empty") }
        guard !relative.utf8.contains(0) else { throw refused("has a zero byte") }
        guard relative.utf8.first != UInt8(ascii: "/") else {
            throw refused("is absolute; paths begin at the folder of the data file")
        }
        guard !relative.utf8.split(separator: UInt8(ascii: "/")).contains(where: { $0.elementsEqual("..".utf8) }) else {
            throw refused("leaves the folder of the data file")
        }
        return .file(folder + "/" + relative)
    }

    func text(
        _ name: String, _ value: FieldValue, alternatives: Bool
    ) throws(Failure) -> (side: PairSide, id: ConceptName?) {
        var captions: [String]
        switch value {
        case .text(let text): captions = [text]
        case .passage(let id, let text):
            guard isFull(text) else { throw failure("\(name) is empty") }
            return (.text(text, alternatives: []), id.map { .document($0) })
        case .list(let values):
            let passages = values.compactMap(passage)
            guard passages.count == values.count, !values.isEmpty else {
                throw failure("\(name) is a list, but not of one text or more")
            }
            captions = passages.map(\.text)
            let arePassages = values.contains { if case .passage = $0 { true } else { false } }
            if ColumnNames.choices.contains(name) || arePassages {
                guard captions.allSatisfy(isFull) else { throw failure("a text of \(name) is empty") }
                let side: PairSide = captions.count == 1 ? .text(captions[0], alternatives: []) : .choice(captions)
                return (side, passages[0].id.map { .document($0) })
            }
        default: throw failure("\(name) is neither a text nor a list of texts")
        }
        if alternatives, case .list(let others)? = try fields.value(name + "s") {
            let texts = others.compactMap { if case .text(let text) = $0 { text } else { nil } }
            guard texts.count == others.count else { throw failure("\(name)s is not a list of texts") }
            captions += texts
        }
        let main = captions.removeFirst()
        guard isFull(main) else { throw failure("\(name) is empty") }
        let others = captions.filter { !$0.utf8.elementsEqual(main.utf8) && isFull($0) }
        return (.text(main, alternatives: others), nil)
    }

    /// Negatives of one field: a text, a list, or nothing where it is null or an empty text.
    func negatives(_ name: String, _ value: FieldValue, kind: ColumnKind) throws(Failure) -> [Negative] {
        let values: [FieldValue]
        switch value {
        case .list(let list): values = list
        case .null, .text(""): return []
        default: values = [value]
        }
        var result: [Negative] = []
        for value in values {
            switch kind {
            case .features: break
            case .picture: result.append(Negative(.picture(try picture(name, value))))
            case .text:
                guard let passage = passage(value), isFull(passage.text) else {
                    throw failure("\(name) is neither a text nor a list of texts, none of them empty")
                }
                let id = passage.id.map { ConceptIDs.hash(ConceptName.document($0).bytes) }
                result.append(Negative(.text(passage.text, alternatives: []), id: id))
            }
        }
        return result
    }

    private func passage(_ value: FieldValue) -> (id: String?, text: String)? {
        switch value {
        case .text(let text): (nil, text)
        case .passage(let id, let text): (id, text)
        default: nil
        }
    }

    /// Whether there is more than white space.
    private func isFull(_ text: String) -> Bool { text.utf8.contains { $0 > 0x20 } }
}
