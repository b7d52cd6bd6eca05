// Values of a processor's JSON, each checked when it is asked for. Not here: which keys there are (PictureProcessor).

import ArrayFiles
import Failures
import Foundation
import Pictures

/// The size that pictures are resized to.
enum PictureExtent: Equatable {
    /// Pixels of the shorter side; the proportions stay.
    case shortest(Int)
    /// Pixels of both sides.
    case square(Int)
}

/// A JSON object whose values are asked for by name and type.
struct ProcessorKeys {
    /// What messages call it: the file and, for an object within, its key.
    let place: String
    private let members: [String: StrictJSON]
    /// Sides that pictures may have.
    private static let sides = 1...16384

    /// No keys at all: every default.
    init(place: String) { (self.place, members) = (place, [:]) }

    /// - Throws: `Failure(.data)` when the text is no JSON object.
    init(_ data: Data, place: String) throws {
        let value: StrictJSON
        do { value = try data.withUnsafeBytes { try StrictJSON(parsing: $0) } } catch let error as StrictJSON.Malformed
        {
            throw Failure(.data, "\(place): byte \(error.byte): expected \(error.expected), found \(error.found)")
        }
        try self.init(value, place: place)
    }

    private init(_ value: StrictJSON, place: String) throws {
        guard case .object(let members) = value else { throw Failure(.data, "\(place): expected a JSON object") }
        self.place = place
        // The parser refuses keys of equal bytes, and Unicode knows other equal ones; null is as good as absent.
        self.members = Self.dictionary(members)
    }

    private static func dictionary(_ members: [(key: String, value: StrictJSON)]) -> [String: StrictJSON] {
        Dictionary(members.lazy.filter { $0.value != .null }.map { ($0.key, $0.value) }) { first, _ in first }
    }

    func failure(_ key: String, _ expected: String) -> Failure {
        let found = members[key].map(Self.words) ?? "nothing"
        return Failure(.data, "\(place): \(key): expected \(expected), found \(found)")
    }

    private static func words(_ value: StrictJSON) -> String {
        switch value {
        case .object(let members): "an object of \(members.map(\.key).joined(separator: ", "))"
        case .array(let elements): "a list of \(elements.count)"
        case .string(let text): "'\(text.prefix(80))'"
        case .integer(let number): "\(number)"
        case .number(let text): text
        case .boolean(let flag): "\(flag)"
        case .null: "null"
        }
    }

    func has(_ key: String) -> Bool { members[key] != nil }

    /// The keys that begin with `do_` and are true or false.
    var switches: [(name: String, isOn: Bool)] {
        members.compactMap { key, value in
            guard key.hasPrefix("do_"), case .boolean(let flag) = value else { return nil }
            return (key, flag)
        }.sorted { $0.name < $1.name }
    }

    func object(_ key: String) throws -> ProcessorKeys {
        guard let value = members[key] else { throw failure(key, "an object") }
        return try ProcessorKeys(value, place: "\(place): \(key)")
    }

    func flag(_ key: String) throws -> Bool? {
        guard let value = members[key] else { return nil }
        guard case .boolean(let flag) = value else { throw failure(key, "true or false") }
        return flag
    }

    func word(_ key: String) throws -> String? {
        guard let value = members[key] else { return nil }
        guard case .string(let text) = value else { throw failure(key, "a word") }
        return text
    }

    func number(_ key: String) throws -> Double? {
        guard let value = members[key] else { return nil }
        guard let number = Self.number(value) else { throw failure(key, "a number") }
        return number
    }

    private static func number(_ value: StrictJSON) -> Double? {
        switch value {
        case .integer(let number): Double(number)
        case .number(let text): Double(text).flatMap { $0.isFinite ? $0 : nil }
        default: nil
        }
    }

    /// One number for each of the three channels, or one for all.
    func channels(_ key: String, default standard: SIMD3<Double>?) throws -> SIMD3<Double> {
        guard let value = members[key] else {
            guard let standard else { throw failure(key, "three numbers") }
            return standard
        }
        if let number = Self.number(value) { return SIMD3(repeating: number) }
        guard case .array(let elements) = value, elements.count == 3 else { throw failure(key, "three numbers") }
        let numbers = elements.compactMap(Self.number)
        guard numbers.count == 3 else { throw failure(key, "three numbers") }
        return SIMD3(numbers[0], numbers[1], numbers[2])
    }

    /// `n`, `[n, n]`, `{height: n, width: n}`, or `{shortest_edge: n}`.
    func extent(_ key: String, intIsSquare: Bool, default standard: PictureExtent?) throws -> PictureExtent {
        func checked(_ side: Int) throws -> Int {
            guard Self.sides.contains(side) else { throw failure(key, "sides of 1 to 16384 pixels") }
            return side
        }
        switch members[key] {
        case nil:
            guard let standard else { throw failure(key, "a size, since the processor's class is not known here") }
            return standard
        case .integer(let side): return intIsSquare ? .square(try checked(side)) : .shortest(try checked(side))
        case .array(let elements):
            guard elements.count == 2, elements[0] == elements[1], case .integer(let side) = elements[0] else { break }
            return .square(try checked(side))
        case .object(let members):
            let sides = Self.dictionary(members)
            if sides.count == 1, case .integer(let side)? = sides["shortest_edge"] {
                return .shortest(try checked(side))
            }
            if sides.count == 2, case .integer(let height)? = sides["height"],
                case .integer(let width)? = sides["width"], height == width
            {
                return .square(try checked(height))
            }
        default: break
        }
        throw failure(key, "equal height and width, or shortest_edge alone: other sizes are not done here")
    }

    /// Equal height and width.
    func square(_ key: String, default standard: Int?) throws -> Int {
        let extent = try extent(key, intIsSquare: true, default: standard.map { .square($0) })
        guard case .square(let side) = extent else { throw failure(key, "equal height and width") }
        return side
    }

    /// Pillow's number of a filter.
    func filter(_ key: String, default standard: ResizeFilter?) throws -> ResizeFilter {
        guard let value = members[key] else {
            guard let standard else { throw failure(key, "the number of a filter: 1, 2, 3 or 4") }
            return standard
        }
        switch value {
        case .integer(1): return .lanczos
        case .integer(2): return .triangle
        case .integer(3): return .bicubic
        case .integer(4): return .box
        default: throw failure(key, "1 (Lanczos), 2 (bilinear), 3 (bicubic) or 4 (box)")
        }
    }

    /// `(factor · x − mean) / deviation`, as a mean and a deviation of `x / 255`.
    func normalization(
        mean: SIMD3<Double>, deviation: SIMD3<Double>, factor: Double
    ) throws -> PictureNormalization {
        guard factor > 0, deviation.min() > 0 else {
            let deviations = (0..<3).map { "\(deviation[$0])" }.joined(separator: ", ")
            throw Failure(
                .data, "\(place): the factor \(factor) and the deviations \(deviations): expected numbers above 0")
        }
        let unit = factor == 1 / 255 ? 1 : 255 * factor
        return .channels(mean: SIMD3<Float>(mean / unit), deviation: SIMD3<Float>(deviation / unit))
    }
}
