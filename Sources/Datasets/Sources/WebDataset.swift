// Pairs from WebDataset shards: tar files whose members share a name up to its first dot. Not here: tar itself (TarIndex).

import Failures

/// The samples of tar shards, in order.
///
/// A member `PATH/KEY.EXTENSION` is the field EXTENSION of the sample `PATH/KEY`, which ends where another key begins; the extension is
/// all behind the first dot of the last part of the path, in lower case. Fields that end in jpg, jpeg, png, webp or gif are pictures,
/// and stay where they are in the shard; other fields are texts, without white space around them; `json.a.b` is the field `b` of the
/// object `a` of the field `json`. Members without a dot, and those whose names begin with a dot or two underscores, are passed over.
///
/// Every sample is checked when the shards are opened, but for its pictures' content. A row costs memory for its key and its members'
/// places alone, and at most a few shards are open at a time. Names lead nowhere: nothing is unpacked.
///
/// Source of the format: https://github.com/webdataset/webdataset, "The WebDataset format".
public struct WebDataset: PairSource {
    public let name: String
    public let onError: RowErrorPolicy
    public let fingerprint: UInt64
    public var ids: [Int64] { index.ids }
    public var skipped: Int { index.skipped }
    public var skippedReasons: [String] { index.reasons }
    public var query: Column { mapper.columns.sides.query }
    public var target: Column { mapper.columns.sides.target }
    public var parts: [SourcePart] { [SourcePart(rows: 0..<count, maximumNegatives: index.maximumNegatives)] }

    private let files: [DataFile]
    private let mapper: RowMapper
    /// A row's place is its samples' first member and their number.
    private let index: RowIndex
    private let members: MemberTable

    /// Opens and checks shards.
    /// - Throws: `Failure(.inputMissing)` if one cannot be read; `Failure(.data)` naming shard, sample and what is wrong.
    init(files: [DataFile], columns: SourceColumns, onError: RowErrorPolicy) throws {
        precondition(!files.isEmpty, "a data set of no files")
        name = files.count == 1 ? files[0].name : "\(files[0].name) and \(files.count - 1) more"
        self.files = files
        self.onError = onError
        let mapper = RowMapper(columns: columns)
        var index = RowIndex(name: name, onError: onError)
        var members = MemberTable()
        var fingerprint = Fingerprint()
        for file in files {
            index.beginFile()
            var sample: (key: String, first: Int)?
            func finishSample() throws {
                guard let (key, first) = sample else { return }
                sample = nil
                let place = "\(file.name):\(key)"
                let count = members.count - first
                let isKept = try index.add(offset: first, length: count, line: 0, place: place) { () throws(Failure) in
                    let fields = SampleFields(members: members, first..<first + count, key: key, file: file)
                    try fields.requireDistinctNames(place)
                    return try mapper.map(fields, place: place, folder: file.folder, alternatives: true)
                }
                // A sample that was left out needs no room.
                if isKept { members.keys.append(key) } else { members.removeLast(count) }
            }
            let content = try TarIndex.scan(file) { member in
                guard let (key, field) = Self.split(member.name) else { return }
                if sample?.key != key {
                    try finishSample()
                    sample = (key, members.count)
                }
                members.append(field, member.range)
            }
            try finishSample()
            fingerprint.add(Int(bitPattern: UInt(content)))
        }
        try index.finish()
        (self.mapper, self.index, self.members) = (mapper, index, members)
        self.fingerprint = fingerprint.value
    }

    /// Key and field of a member's name; nil for members that are no data.
    static func split(_ name: String) -> (key: String, field: String)? {
        let start = name.lastIndex(of: "/").map { name.index(after: $0) } ?? name.startIndex
        let base = name[start...]
        guard !base.hasPrefix("__"), let dot = base.firstIndex(of: "."), dot != base.startIndex else { return nil }
        let field = base[base.index(after: dot)...]
        guard !field.isEmpty else { return nil }
        return (String(name[..<dot]), field.lowercased())
    }

    public func row(_ row: Int) throws -> PairRow { try self.row(row, alternatives: true) }

    public func row(_ row: Int, alternatives: Bool) throws -> PairRow {
        precondition(ids.indices.contains(row), "row \(row) of \(ids.count)")
        let place = index.place(row)
        let (file, key) = (files[place.file], members.keys[row])
        let fields = SampleFields(members: members, place.range, key: key, file: file)
        return try mapper.map(
            fields, place: "\(file.name):\(key)", folder: file.folder, alternatives: alternatives)
    }
}

/// Fields of all samples, one behind the other.
struct MemberTable: Sendable {
    private var fields: [UInt16] = []
    private var starts: [Int] = []
    private var lengths: [Int] = []
    private(set) var names: [String] = []
    private var numbers: [String: UInt16] = [:]
    /// Of each row.
    var keys: [String] = []

    var count: Int { fields.count }

    mutating func append(_ field: String, _ range: Range<Int>) {
        // Names that are too many to be fields share the last number, which has no name.
        var number = numbers[field] ?? .max
        if number == .max, names.count < Int(UInt16.max) {
            number = UInt16(names.count)
            numbers[field] = number
            names.append(field)
        }
        fields.append(number)
        starts.append(range.lowerBound)
        lengths.append(range.count)
    }

    mutating func removeLast(_ count: Int) {
        fields.removeLast(count)
        starts.removeLast(count)
        lengths.removeLast(count)
    }

    func name(_ member: Int) -> String { Int(fields[member]) < names.count ? names[Int(fields[member])] : "" }
    func range(_ member: Int) -> Range<Int> { starts[member]..<starts[member] + lengths[member] }
}

/// The members of one sample.
private struct SampleFields: RowFields {
    let members: MemberTable
    let range: Range<Int>
    let key: String
    let file: DataFile

    init(members: MemberTable, _ range: Range<Int>, key: String, file: DataFile) {
        self.members = members
        self.range = range
        self.key = key
        self.file = file
    }

    var names: [String] { range.map(members.name) }

    func requireDistinctNames(_ place: String) throws(Failure) {
        var seen: Set<String> = []
        for name in names where !seen.insert(name).inserted {
            throw Failure(.data, "\(place): the member \(key).\(name) twice in one sample")
        }
    }

    func value(_ name: String) throws(Failure) -> FieldValue? {
        if let member = range.first(where: { members.name($0) == name }) { return try content(member, name) }
        guard name.hasPrefix("json."), let member = range.first(where: { members.name($0) == "json" }) else {
            return nil
        }
        let bytes = try bytes(member)
        let found = bytes.withUnsafeBytes { bytes -> Result<FieldValue?, Failure> in
            do throws(JSONLineError) {
                let fields = try JSONFields(bytes, 0..<bytes.count)
                return Result { () throws(Failure) in try fields.value(String(name.dropFirst(5))) }
            } catch {
                return .failure(Failure(.data, "\(file.name):\(key).json:\(error.column): \(error.reason)"))
            }
        }
        return try found.get()
    }

    private func content(_ member: Int, _ name: String) throws(Failure) -> FieldValue {
        let ending = name.split(separator: ".").last.map(String.init) ?? ""
        if ColumnNames.pictureExtensions.contains(ending) {
            return .picture(.member(shard: file.path, name: "\(key).\(name)", range: members.range(member)))
        }
        if ending == "json" { return .other }
        guard let text = String(validating: try bytes(member).withoutByteOrderMark, as: UTF8.self) else {
            throw Failure(.data, "\(file.name):\(key).\(name): this member is not UTF-8 text")
        }
        let trimmed = text.unicodeScalars.drop { $0.properties.isWhitespace }
        guard let last = trimmed.lastIndex(where: { !$0.properties.isWhitespace }) else { return .text("") }
        return .text(String(trimmed[...last]))
    }

    private func bytes(_ member: Int) throws(Failure) -> [UInt8] {
        let range = members.range(member)
        guard range.count <= RecordScanner.maximumBytes else {
            throw Failure(
                .data,
                "\(file.name):\(key).\(members.name(member)) has \(range.count) bytes; a text may have \(RecordScanner.maximumBytes)"
            )
        }
        return try FilePool.shared.bytes(of: file.path, range)
    }
}
