// Small pictures for reports. Not here: pages (Reports), decoding (Pictures).

import Datasets
public import Foundation
import Pictures
public import Reports

/// The picture of an example as a PNG that fits 96 pixels square; nil for texts and where it cannot be read any more.
public func exampleThumbnail(_ content: RetrievedExample.Content) -> Data? {
    guard let location = PictureLocation(content), let picture = try? Picture.read(location) else { return nil }
    let side = 96
    return try? picture.squared(side).pngData()
}

extension PictureLocation {
    init?(_ content: RetrievedExample.Content) {
        guard case .picture(let path, let name, let offset, let length) = content else { return nil }
        guard let offset, let length else {
            self = .file(path)
            return
        }
        guard offset >= 0, length >= 0, length <= Int.max - offset else { return nil }
        self = .member(shard: path, name: name, range: offset..<offset + length)
    }
}

extension RetrievedExample.Content {
    /// The same for a file of a run; nil for features, which nobody can look at.
    init?(_ side: PairSide) {
        switch side {
        case .text, .choice: self = .text(String(side.displayText.prefix(400)))
        case .features: return nil
        case .picture(.file(let path)):
            self = .picture(
                path: Self.absolute(path), name: URL(fileURLWithPath: path).lastPathComponent, offset: nil, length: nil)
        case .picture(.member(let shard, let name, let range)):
            self = .picture(path: Self.absolute(shard), name: name, offset: range.lowerBound, length: range.count)
        }
    }

    /// Found from wherever the file is read.
    private static func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : "\(FileManager.default.currentDirectoryPath)/\(path)"
    }
}
