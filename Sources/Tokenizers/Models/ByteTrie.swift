// Strings by their bytes. Not here: what the strings are tokens of (the models).

/// A map from byte strings to ids that can be walked byte by byte.
///
/// Edges lie in one open-addressed table keyed by (node, byte): about 16 bytes an edge, one look-up a step.
struct ByteTrie: Sendable {
    private var keys: [UInt64]
    private var children: [UInt32]
    private var ids: [Int32] = [-1]
    private var rootChildren = [UInt32](repeating: 0, count: 256)
    private var edgeCount = 0

    static let root: UInt32 = 0

    init() {
        keys = [UInt64](repeating: .max, count: 1 << 8)
        children = [UInt32](repeating: 0, count: 1 << 8)
    }

    @inline(__always)
    private static func slot(_ key: UInt64, _ mask: Int) -> Int {
        Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
    }

    /// The node after `byte`; nil if no string goes on that way.
    @inline(__always)
    func child(_ node: UInt32, _ byte: UInt8) -> UInt32? {
        if node == Self.root {
            let child = rootChildren[Int(byte)]
            return child == 0 ? nil : child
        }
        let key = UInt64(node) << 8 | UInt64(byte)
        let mask = keys.count - 1
        var slot = Self.slot(key, mask)
        while keys[slot] != .max {
            if keys[slot] == key { return children[slot] }
            slot = (slot + 1) & mask
        }
        return nil
    }

    /// The id of the string that ends at a node; -1 for none.
    @inline(__always)
    func id(_ node: UInt32) -> Int32 { ids[Int(node)] }

    /// The id of a whole string.
    func id(of bytes: some Sequence<UInt8>) -> Int32? {
        var node = Self.root
        for byte in bytes {
            guard let next = child(node, byte) else { return nil }
            node = next
        }
        return ids[Int(node)] < 0 ? nil : ids[Int(node)]
    }

    /// The longest string that `bytes` begin with, at `position`.
    @inline(__always)
    func longestMatch(_ bytes: UnsafeBufferPointer<UInt8>, _ position: Int) -> (id: Int32, end: Int)? {
        var node = Self.root
        var found: (id: Int32, end: Int)?
        var place = position
        while place < bytes.count, let next = child(node, bytes[place]) {
            node = next
            place += 1
            if ids[Int(node)] >= 0 { found = (ids[Int(node)], place) }
        }
        return found
    }

    /// Adds a string; the last of equal ones counts.
    mutating func insert(_ bytes: some Sequence<UInt8>, id: Int32) {
        var node = Self.root
        for byte in bytes { node = child(node, byte) ?? addChild(node, byte) }
        ids[Int(node)] = id
    }

    private mutating func addChild(_ node: UInt32, _ byte: UInt8) -> UInt32 {
        let new = UInt32(ids.count)
        ids.append(-1)
        if node == Self.root {
            rootChildren[Int(byte)] = new
            return new
        }
        if 2 * (edgeCount + 1) > keys.count { grow() }
        place(UInt64(node) << 8 | UInt64(byte), new)
        edgeCount += 1
        return new
    }

    private mutating func place(_ key: UInt64, _ child: UInt32) {
        let mask = keys.count - 1
        var slot = Self.slot(key, mask)
        while keys[slot] != .max { slot = (slot + 1) & mask }
        keys[slot] = key
        children[slot] = child
    }

    private mutating func grow() {
        let (oldKeys, oldChildren) = (keys, children)
        keys = [UInt64](repeating: .max, count: 2 * oldKeys.count)
        children = [UInt32](repeating: 0, count: 2 * oldKeys.count)
        for (key, child) in zip(oldKeys, oldChildren) where key != .max { place(key, child) }
    }
}
