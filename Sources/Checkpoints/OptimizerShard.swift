// The optimizer's share of one rank, addressed by ranges of the flat buffers. Not here: which rank owns what (the trainer decides).

import ArrayFiles
public import Buffers

/// A part of a flat optimizer buffer that this rank owns: `first_moment`, elements `ranges`.
///
/// In the file each range is a tensor of its own, `first_moment.START`, of shape [count]: a shard says by itself which elements it
/// holds, so any number of ranks can load what any other number saved.
public struct OptimizerShard: Sendable {
    /// The flat buffer's name; the same on every rank.
    public let name: String
    /// Elements of the layout, in the order of `values`; they do not overlap.
    public let ranges: [Range<Int>]
    /// The elements of all ranges, one after the other.
    public let values: Floats

    /// - Precondition: as many values as the ranges have elements.
    public init(name: String, ranges: [Range<Int>], values: Floats) {
        let count = ranges.reduce(0) { $0 + $1.count }
        precondition(values.count == count, "\(values.count) values of '\(name)' for ranges of \(count)")
        self.name = name
        self.ranges = ranges
        self.values = values
    }

    var tensors: [SafetensorsTensor] {
        var end = 0
        return ranges.filter { !$0.isEmpty }.map { range in
            defer { end += range.count }
            return ("\(name).\(range.lowerBound)", [range.count], .floats(values[end..<end + range.count]))
        }
    }

    /// A tensor of a shard and the elements it holds.
    struct Piece {
        let range: Range<Int>
        let file: SafetensorsFile
        let tensor: String
    }

    /// The pieces of one flat buffer, in the order of their elements.
    static func pieces(named name: String, in files: [SafetensorsFile]) -> [Piece] {
        files.flatMap { file in
            file.entries.compactMap { entry -> Piece? in
                guard let (owner, start) = split(entry.name), owner == name, entry.type == .float32 else { return nil }
                return Piece(range: start..<start + entry.count, file: file, tensor: entry.name)
            }
        }
        .sorted { $0.range.lowerBound < $1.range.lowerBound }
    }

    /// The piece that holds an element. Ranks own ranges apart, so the last piece that begins at or before it is the one.
    static func piece(holding element: Int, in pieces: [Piece]) -> Piece? {
        var low = 0
        var high = pieces.count
        while low < high {
            let middle = (low + high) / 2
            if pieces[middle].range.lowerBound <= element { low = middle + 1 } else { high = middle }
        }
        guard low > 0, pieces[low - 1].range.contains(element) else { return nil }
        return pieces[low - 1]
    }

    /// The names of the flat buffers in `files`, sorted.
    static func names(in files: [SafetensorsFile]) -> [String] {
        Set(files.flatMap { file in file.names.compactMap { split($0)?.name } }).sorted()
    }

    /// Starts of 2⁶² and more are not read, so that adding a count, which a file's size bounds, cannot overflow.
    private static func split(_ tensor: String) -> (name: String, start: Int)? {
        guard let dot = tensor.lastIndex(of: "."), let start = Int(tensor[tensor.index(after: dot)...]),
            (0..<1 << 62).contains(start)
        else { return nil }
        return (String(tensor[..<dot]), start)
    }
}
