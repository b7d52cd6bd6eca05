// What nearest pixels alone get right on set A, to be shown beside a model's figure. Not here: models, other metrics.

import Failures
import Foundation
public import Pictures

/// Precision@1 of the nearest training picture.
public struct PixelBaselineReport: Sendable, Equatable {
    /// Share of queries whose nearest training picture has the query's `id`.
    public let precisionAt1: Double
    public let queries: Int
    public let trainingPictures: Int
}

/// Answers each query by the `id` of the nearest training picture.
///
///     t(x) = 255 − x averaged to 16 × 16 × 3;   similarity = ⟨t(q), t(x)⟩ / (‖t(q)‖ ‖t(x)‖)
///
/// Inverted, so that the white around an emoji weighs nothing. Between equal similarities the earlier picture wins.
/// Cost `queries · training · 768` products: about half a second for 1,500 × 2,500.
public func pixelBaseline(
    training: [(id: String, picture: Picture)], queries: [(id: String, picture: Picture)]
) -> PixelBaselineReport {
    let known = training.map { thumbnail($0.picture) }
    var right = 0
    for query in queries {
        let thumbnail = thumbnail(query.picture)
        var best: (similarity: Float, index: Int) = (-1, -1)
        for (index, candidate) in known.enumerated() {
            var sums = SIMD16<Float>.zero
            for part in thumbnail.indices { sums += thumbnail[part] * candidate[part] }
            let similarity = sums.sum()
            if similarity > best.similarity { best = (similarity, index) }
        }
        if best.index >= 0, training[best.index].id == query.id { right += 1 }
    }
    return PixelBaselineReport(
        precisionAt1: queries.isEmpty ? 0 : Double(right) / Double(queries.count), queries: queries.count,
        trainingPictures: training.count)
}

/// The same from a data set on disk: trains on `train.jsonl`, asks `seen.jsonl`.
/// - Throws: `Failure(.inputMissing)` or `Failure(.data)` that names the file, and the line of a row that cannot be understood.
public func pixelBaseline(dataset directory: String) throws -> PixelBaselineReport {
    pixelBaseline(
        training: try readPictures(directory, file: "train.jsonl"),
        queries: try readPictures(directory, file: "seen.jsonl"))
}

/// 16 × 16 × 3 inverted averages as 48 vectors of 16, of length 1; all zero for a white picture.
private func thumbnail(_ picture: Picture) -> [SIMD16<Float>] {
    let small = picture.resized(width: 16, height: 16, filter: .box).pixels
    var parts = (0..<48).map { part in
        var vector = SIMD16<Float>.zero
        for lane in 0..<16 { vector[lane] = 255 - Float(small[16 * part + lane]) }
        return vector
    }
    let norm = parts.reduce(Float(0)) { $0 + ($1 * $1).sum() }.squareRoot()
    if norm > 0 { for part in parts.indices { parts[part] /= norm } }
    return parts
}

private struct PictureRow: Decodable {
    let id: String
    let image: String
}

private func readPictures(_ directory: String, file: String) throws -> [(id: String, picture: Picture)] {
    let path = "\(directory)/\(file)"
    guard let data = FileManager.default.contents(atPath: path) else {
        throw Failure(.inputMissing, "cannot read \(path)")
    }
    let decoder = JSONDecoder()
    return try data.split(separator: UInt8(ascii: "\n")).enumerated().map { number, line in
        guard let row = try? decoder.decode(PictureRow.self, from: Data(line)) else {
            throw Failure(.data, "\(path), line \(number + 1): not a row with 'id' and 'image'")
        }
        return (row.id, try Picture.read(path: "\(directory)/\(row.image)"))
    }
}
