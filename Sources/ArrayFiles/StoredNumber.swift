// How numbers lie in files, and their conversion. Not here: the names formats give them (NPYHeader, Safetensors), their order.

/// The representation of one number in a file: what can become a float or an integer.
struct StoredNumber {
    /// `brain` is bfloat16: the upper half of a float32.
    enum Kind { case float, brain, integer, unsigned, boolean }

    var kind: Kind
    /// 1, 2, 4 or 8.
    var byteCount: Int
    /// Whether the bytes of an element lie in the order opposite to this machine's.
    var isSwapped = false

    var isFloating: Bool { kind == .float || kind == .brain }

    /// Writes element i of `source` to `target[i · stride]`, for i < `count`; returns the first element that has no float32 value:
    /// an integer of 2²⁴ or more, or a finite float64 beyond float32's range. Nearest-even rounding; NaN and infinities pass.
    func floats(_ source: UnsafeRawPointer, count: Int, into target: UnsafeMutablePointer<Float>, stride: Int) -> Int? {
        func narrow<Raw: FixedWidthInteger>(_: Raw.Type) -> Int? {
            for index in 0..<count {
                let value = load(Raw.self, source, index)
                if value.magnitude >= 1 << 24 { return index }
                target[index * stride] = Float(value)
            }
            return nil
        }
        func plain<Raw: FixedWidthInteger>(_: Raw.Type, _ convert: (Raw) -> Float) {
            for index in 0..<count { target[index * stride] = convert(load(Raw.self, source, index)) }
        }
        switch (kind, byteCount) {
        case (.float, 2): plain(UInt16.self) { Float(Float16(bitPattern: $0)) }
        case (.brain, _): plain(UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
        case (.float, 4): plain(UInt32.self) { Float(bitPattern: $0) }
        case (.float, _):
            for index in 0..<count {
                let value = Double(bitPattern: load(UInt64.self, source, index))
                let rounded = Float(value)
                if rounded.isInfinite && value.isFinite { return index }
                target[index * stride] = rounded
            }
        case (.integer, 1): plain(Int8.self) { Float($0) }
        case (.integer, 2): plain(Int16.self) { Float($0) }
        case (.integer, 4): return narrow(Int32.self)
        case (.integer, _): return narrow(Int64.self)
        case (.unsigned, 1): plain(UInt8.self) { Float($0) }
        case (.unsigned, 2): plain(UInt16.self) { Float($0) }
        case (.unsigned, 4): return narrow(UInt32.self)
        case (.unsigned, _): return narrow(UInt64.self)
        case (.boolean, _): plain(UInt8.self) { $0 == 0 ? 0 : 1 }
        }
        return nil
    }

    /// Element `index` as an integer; nil for an unsigned one of 2⁶³ or more. The kind is neither `.float` nor `.brain`.
    func integer(_ source: UnsafeRawPointer, _ index: Int) -> Int64? {
        precondition(!isFloating, "floats are not read as integers")
        switch (kind, byteCount) {
        case (.boolean, _): return load(UInt8.self, source, index) == 0 ? 0 : 1
        case (.integer, 1): return Int64(load(Int8.self, source, index))
        case (.integer, 2): return Int64(load(Int16.self, source, index))
        case (.integer, 4): return Int64(load(Int32.self, source, index))
        case (.integer, _): return load(Int64.self, source, index)
        case (_, 1): return Int64(load(UInt8.self, source, index))
        case (_, 2): return Int64(load(UInt16.self, source, index))
        case (_, 4): return Int64(load(UInt32.self, source, index))
        default: return Int64(exactly: load(UInt64.self, source, index))
        }
    }

    @inline(__always) private func load<Raw: FixedWidthInteger>(_: Raw.Type, _ source: UnsafeRawPointer, _ index: Int)
        -> Raw
    {
        let raw = source.loadUnaligned(fromByteOffset: index * MemoryLayout<Raw>.size, as: Raw.self)
        return isSwapped ? raw.byteSwapped : raw
    }
}
