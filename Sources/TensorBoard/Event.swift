// What TensorBoard shows: numbers, distributions, pictures, by step and name. Not here: bytes (ProtobufMessage.swift), the file
// (EventWriter.swift).
//
// Field numbers are those of TensorFlow's event.proto, summary.proto and histogram.proto.

import Foundation

/// One value of a step under a name; `a/b` is shown as b in a group a.
public struct Summary: Sendable, Equatable {
    public enum Content: Sendable, Equatable {
        /// Kept as float32.
        case scalar(Double)
        case histogram(Histogram)
        case picture(png: [UInt8], width: Int, height: Int)
    }

    public var name: String
    public var content: Content

    public init(_ name: String, _ content: Content) { (self.name, self.content) = (name, content) }

    var message: ProtobufMessage {
        var message = ProtobufMessage()
        message.add(1, name)
        switch content {
        case .scalar(let value): message.add(2, Float(value))
        case .histogram(let histogram): message.add(5, histogram.message)
        case .picture(let png, let width, let height):
            var image = ProtobufMessage()
            image.add(1, height)
            image.add(2, width)
            // RGB.
            image.add(3, 3)
            image.add(4, png)
            message.add(4, image)
        }
        return message
    }
}

/// How many values lie where.
public struct Histogram: Sendable, Equatable {
    var least = 0.0
    var greatest = 0.0
    var count = 0.0
    var sum = 0.0
    var squares = 0.0
    /// Upper ends of the buckets, ascending, with the number of values in each.
    var limits: [Double] = []
    var counts: [Double] = []

    static let buckets = 30

    /// Of finite values, in buckets of equal width from the least to the greatest; nil when there is none.
    public init?(_ values: [Double]) {
        let values = values.filter(\.isFinite)
        guard let least = values.min(), let greatest = values.max() else { return nil }
        (self.least, self.greatest) = (least, greatest)
        count = Double(values.count)
        sum = values.reduce(0, +)
        squares = values.reduce(0) { $0 + $1 * $1 }
        let width = greatest / Double(Self.buckets) - least / Double(Self.buckets)
        guard width > 0 else {
            (limits, counts) = ([greatest], [count])
            return
        }
        limits = (1...Self.buckets).map { bucket in
            let share = Double(bucket) / Double(Self.buckets)
            return least * (1 - share) + greatest * share
        }
        counts = [Double](repeating: 0, count: Self.buckets)
        for value in values {
            // Quotients first: the difference of the extremes may overflow.
            let place = value / width - least / width
            counts[Int(min(max(place, 0), Double(Self.buckets - 1)))] += 1
        }
    }

    var message: ProtobufMessage {
        var message = ProtobufMessage()
        message.add(1, least)
        message.add(2, greatest)
        message.add(3, count)
        message.add(4, sum)
        message.add(5, squares)
        message.add(6, limits)
        message.add(7, counts)
        return message
    }
}

/// One record of an event file.
struct Event {
    enum Content {
        /// The first record of every file.
        case version
        /// What follows begins at this step: readers forget what earlier files say of it and later ones.
        case start
        case summaries([Summary])
    }

    /// Seconds since 1970.
    var time: Double
    var step: Int
    var content: Content

    var message: ProtobufMessage {
        var message = ProtobufMessage()
        message.add(1, time)
        if step != 0 { message.add(2, step) }
        switch content {
        case .version: message.add(3, "brain.Event:2")
        case .start:
            var log = ProtobufMessage()
            // SessionLog.START.
            log.add(1, 1)
            message.add(7, log)
        case .summaries(let summaries):
            var all = ProtobufMessage()
            for summary in summaries { all.add(1, summary.message) }
            message.add(5, all)
        }
        return message
    }

    /// The event in TensorFlow's record format: length, its checksum, the message, its checksum; little-endian.
    var record: [UInt8] {
        let data = message.bytes
        let length = withUnsafeBytes(of: UInt64(data.count).littleEndian) { Array($0) }
        let checksum = { (bytes: [UInt8]) in withUnsafeBytes(of: CRC32C.masked(bytes).littleEndian) { Array($0) } }
        return length + checksum(length) + data + checksum(data)
    }
}
