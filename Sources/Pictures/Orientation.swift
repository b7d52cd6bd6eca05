// Which way up a picture is: the orientation that EXIF states, found in each kind of file, and applied. Nothing else of EXIF is read.

/// The first row and column of stored pixels, as EXIF tag 274 numbers them (Exif 2.32, section 4.6.4).
enum Orientation: Int, CaseIterable {
    case upright = 1
    case mirrored, halfTurn, flipped, transposed, quarterTurnRight, transversed, quarterTurnLeft

    /// What the TIFF structure of EXIF says, of either byte order; upright if it says nothing or is damaged.
    /// - Parameter exif: begins with the byte order, or with the mark `Exif`, 0, 0 before it.
    init(exif: UnsafeRawBufferPointer) {
        self = .upright
        let bytes =
            exif.starts(with: Self.mark) ? UnsafeRawBufferPointer(rebasing: exif.dropFirst(Self.mark.count)) : exif
        guard bytes.count >= 8 else { return }
        let isLittle = bytes.starts(with: [0x49, 0x49, 0x2A, 0])
        guard isLittle || bytes.starts(with: [0x4D, 0x4D, 0, 0x2A]) else { return }
        func number(_ position: Int, bytes count: Int) -> Int? {
            guard position >= 0, position + count <= bytes.count else { return nil }
            let slice = bytes[position..<position + count]
            return isLittle ? slice.reversed().reduce(0) { $0 << 8 | Int($1) } : slice.reduce(0) { $0 << 8 | Int($1) }
        }
        guard let directory = number(4, bytes: 4), let entries = number(directory, bytes: 2) else { return }
        for entry in 0..<entries {
            let start = directory + 2 + 12 * entry
            guard let tag = number(start, bytes: 2) else { return }
            guard tag == 274 else { continue }
            // One number of 8, 16 or 32 bits, at the beginning of the four bytes of the value.
            guard let type = number(start + 2, bytes: 2), let width = [1: 1, 3: 2, 4: 4][type],
                let value = number(start + 8, bytes: width), let found = Orientation(rawValue: value)
            else { return }
            self = found
            return
        }
    }

    /// What the first EXIF segment of a JPEG says (marker APP1).
    init(jpeg bytes: UnsafeRawBufferPointer) {
        self = .upright
        var position = 2
        while position + 4 <= bytes.count, bytes[position] == 0xFF {
            let marker = bytes[position + 1]
            // Fill bytes, and markers without content; after SOS come pixels.
            if marker == 0xFF {
                position += 1
            } else if marker == 0x01 || (0xD0...0xD7).contains(marker) {
                position += 2
            } else {
                let end = position + 2 + bytes.bigEndian16(position + 2)
                guard marker != 0xDA, marker != 0xD9, end >= position + 4, end <= bytes.count else { return }
                let content = UnsafeRawBufferPointer(rebasing: bytes[position + 4..<end])
                if marker == 0xE1, content.starts(with: Self.mark) {
                    self.init(exif: content)
                    return
                }
                position = end
            }
        }
    }

    private static let mark: [UInt8] = Array("Exif\0\0".utf8)

    /// Whether width and height change places.
    var swapsSides: Bool { rawValue >= 5 }
}

extension Picture {
    /// The stored pixels as they are meant to be seen.
    func oriented(_ orientation: Orientation) -> Picture {
        guard orientation != .upright else { return self }
        let (right, down) = (3, 3 * width)
        let last = (right: right * (width - 1), down: down * (height - 1))
        // Where the first pixel of the result is, and how far its right and lower neighbours are from there.
        let (first, across, along): (Int, Int, Int) =
            switch orientation {
            case .upright: (0, right, down)
            case .mirrored: (last.right, -right, down)
            case .halfTurn: (last.right + last.down, -right, -down)
            case .flipped: (last.down, right, -down)
            case .transposed: (0, down, right)
            case .quarterTurnRight: (last.down, -down, right)
            case .transversed: (last.right + last.down, -down, -right)
            case .quarterTurnLeft: (last.right, down, -right)
            }
        let (newWidth, newHeight) = orientation.swapsSides ? (height, width) : (width, height)
        let result = [UInt8](unsafeUninitializedCapacity: pixels.count) { output, count in
            pixels.withUnsafeBufferPointer { input in
                var place = 0
                for row in 0..<newHeight {
                    var source = first + row * along
                    for _ in 0..<newWidth {
                        for channel in 0..<3 { output[place + channel] = input[source + channel] }
                        place += 3
                        source += across
                    }
                }
            }
            count = pixels.count
        }
        return Picture(width: newWidth, height: newHeight, pixels: result)
    }
}
