// From the bytes of a file to a picture: what the file is, how large it may be, who decodes it. Not here: the formats (JPEG.swift,
// PNG.swift, WebP.swift, GIF.swift), orientation (Orientation.swift).

import Failures
public import Foundation

extension Picture {
    /// Pixels that a picture may have unless the caller says otherwise: 2²⁶, which needs at most 768 MiB while it is decoded.
    public static let defaultMaximumPixels = 1 << 26

    /// Bytes that a picture's file may have.
    public static let maximumFileBytes = 1 << 30

    /// Decodes a JPEG, PNG, WebP or GIF; of an animation, the first frame.
    ///
    /// The first bytes alone say what it is: names do not count. Transparency is resolved over white, the orientation that EXIF states
    /// is applied, colour profiles are ignored: values are taken as sRGB. Size and structure are checked before pixels are allocated.
    /// Any bytes give a picture or a failure; may be called from several threads.
    /// - Parameters:
    ///   - name: how messages call the picture: a path, a member of an archive, a row.
    ///   - side: pixels of the shorter side that the caller needs. A JPEG is then decoded at the smallest of 1/8, 1/4, 1/2 and 1 of its
    ///     size that has them, which is faster, and close to shrinking it but not equal; nil decodes whole.
    ///   - maximumPixels: more are refused; the size that counts is the whole one.
    /// - Throws: `Failure(.data)` that names the picture, what is wrong with it and what to do.
    public static func decode(
        _ bytes: some ContiguousBytes, name: String, atLeast side: Int? = nil,
        maximumPixels: Int = defaultMaximumPixels
    ) throws -> Picture {
        try bytes.withUnsafeBytes { bytes in
            let file = try PictureFile(bytes, name: name, maximumPixels: maximumPixels)
            switch file.format {
            case .jpeg: return try file.jpeg(atLeast: side)
            case .png: return try file.png()
            case .webp: return try file.webp()
            case .gif: return try file.gif()
            }
        }
    }

    /// Reads and decodes a file, like `decode`.
    /// - Throws: `Failure(.inputMissing)` if it cannot be read or is no regular file; what `decode` throws.
    public static func read(
        path: String, atLeast side: Int? = nil, maximumPixels: Int = defaultMaximumPixels
    ) throws -> Picture {
        try decode(fileBytes(path: path), name: path, atLeast: side, maximumPixels: maximumPixels)
    }

    /// The bytes of a picture's file, undecoded.
    /// - Throws: `Failure(.inputMissing)` if it cannot be read or is no regular file, `Failure(.data)` if it is larger than
    ///   `maximumFileBytes`.
    public static func fileBytes(path: String) throws -> Data {
        var status = stat()
        // Reading a pipe or a terminal would wait for its writer.
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw Failure(.inputMissing, "cannot read the picture \(path): there is no such file; check the path")
        }
        guard status.st_size <= maximumFileBytes else {
            throw Failure(
                .data, "the picture \(path) has \(status.st_size) bytes, more than \(maximumFileBytes); shrink it first"
            )
        }
        do { return try Data(contentsOf: URL(fileURLWithPath: path)) } catch {
            throw Failure(.inputMissing, "cannot read the picture \(path); check its permissions")
        }
    }
}

/// Kinds of picture files that can be decoded.
public enum PictureFormat: String, Sendable, CaseIterable {
    case jpeg = "JPEG"
    case png = "PNG"
    case webp = "WebP"
    case gif = "GIF"

    static let pngSignature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

    /// What a file's first bytes say it is; nil for anything else.
    public init?(_ bytes: UnsafeRawBufferPointer) {
        if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
            self = .jpeg
        } else if bytes.starts(with: Self.pngSignature.prefix(4)) {
            self = .png
        } else if bytes.starts(with: "GIF87a".utf8) || bytes.starts(with: "GIF89a".utf8) {
            self = .gif
        } else if bytes.starts(with: "RIFF".utf8), bytes.dropFirst(8).starts(with: "WEBP".utf8) {
            self = .webp
        } else {
            return nil
        }
    }

    /// The first bytes of what is often met in a picture's place, and what it is.
    private static let others: [(offset: Int, prefix: String, name: String)] = [
        (0, "BM", "a BMP picture"), (0, "II*\0", "a TIFF picture"), (0, "MM\0*", "a TIFF picture"),
        (4, "ftypavi", "an AVIF picture"), (4, "ftypheic", "a HEIC picture"), (4, "ftypmif1", "a HEIF picture"),
        (4, "jP  ", "a JPEG 2000 picture"), (1, "MNG\r", "an MNG animation"), (1, "JNG\r", "a JNG picture"),
        (0, "8BPS", "a Photoshop document"), (0, "%PDF", "a PDF document"), (0, "<", "a web page, SVG or other markup"),
        (0, "\0\0\u{1}\0", "an icon"), (0, "PK", "a ZIP archive"), (0, "version https://git-lfs", "a Git LFS pointer"),
    ]

    /// What bytes that are no known picture seem to be.
    static func guess(_ bytes: UnsafeRawBufferPointer) -> String {
        if let other = others.first(where: { bytes.dropFirst($0.offset).starts(with: $0.prefix.utf8) }) {
            return "is \(other.name)"
        }
        if [UInt8](bytes.prefix(3)) == [0xFF, 0xD8] || "GIF8".utf8.starts(with: bytes.prefix(6)) {
            return "ends after \(bytes.count) bytes"
        }
        return "begins like no picture (\(bytes.prefix(4).map { String($0, radix: 16) }.joined(separator: " ")))"
    }
}

/// The bytes of one file, what they are, and what messages call it.
struct PictureFile {
    let bytes: UnsafeRawBufferPointer
    let name: String
    let format: PictureFormat
    let maximumPixels: Int

    init(_ bytes: UnsafeRawBufferPointer, name: String, maximumPixels: Int) throws {
        guard !bytes.isEmpty else { throw Failure(.data, "the picture \(name) is empty; replace it") }
        guard let format = PictureFormat(bytes) else {
            throw Failure(
                .data, "the picture \(name) \(PictureFormat.guess(bytes)); give a JPEG, PNG, WebP or GIF file")
        }
        self.bytes = bytes
        self.name = name
        self.format = format
        self.maximumPixels = maximumPixels
    }

    /// - Throws: `Failure(.data)` for sizes that no picture has, or that are not allowed.
    func checkSize(_ width: Int, _ height: Int) throws {
        guard width > 0, height > 0 else { throw damaged("has the impossible size \(width) × \(height)") }
        let pixels = width.multipliedReportingOverflow(by: height)
        guard !pixels.overflow, pixels.partialValue <= maximumPixels else {
            throw Failure(
                .data,
                "the \(format.rawValue) picture \(name) has \(width) × \(height) pixels, more than the \(maximumPixels) allowed; shrink it first"
            )
        }
    }

    func damaged(_ what: String) -> Failure {
        Failure(.data, "the \(format.rawValue) picture \(name) \(what); replace it by a sound copy")
    }

    /// What a C library left in a fixed array of characters.
    func sentence(_ characters: some Any) -> String {
        withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

extension UnsafeRawBufferPointer {
    /// The numbers of 16 and 32 bits that begin at a byte.
    func bigEndian16(_ position: Int) -> Int { Int(self[position]) << 8 | Int(self[position + 1]) }
    func bigEndian32(_ position: Int) -> Int { bigEndian16(position) << 16 | bigEndian16(position + 2) }
}
