// Where a picture's bytes lie: a file, or a part of an archive. Not here: decoding (Pictures), keeping decoded ones (PictureStore).

import Failures
public import Foundation
import Pictures

/// The place of an encoded picture.
public enum PictureLocation: Sendable, Hashable, CustomStringConvertible {
    /// A file of its own.
    case file(String)
    /// A member of an archive: `range` of the bytes of the file `shard`.
    case member(shard: String, name: String, range: Range<Int>)

    /// Different for different pictures, and for people: `FILE`, or `SHARD:MEMBER at byte N`.
    public var description: String {
        switch self {
        case .file(let path): path
        case .member(let shard, let name, let range): "\(shard):\(name) at byte \(range.lowerBound)"
        }
    }

    /// The encoded picture.
    /// - Throws: `Failure(.inputMissing)` or `Failure(.data)` naming the place.
    public func bytes() throws -> Data {
        switch self {
        case .file(let path): return try Picture.fileBytes(path: path)
        case .member(let shard, _, let range):
            guard range.count <= Picture.maximumFileBytes else {
                throw Failure(
                    .data, "\(self) has \(range.count) bytes, more than \(Picture.maximumFileBytes); shrink it first")
            }
            return Data(try FilePool.shared.bytes(of: shard, range))
        }
    }
}
