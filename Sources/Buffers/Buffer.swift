// A typed view of contiguous memory that keeps its owner alive. Not here: shapes of models (ParameterLayout.swift), arithmetic (Kernels).

/// A strong view of `count` contiguous elements: a reference to the memory and where in it the view begins.
///
/// Copying a `Buffer` copies the view, not the elements; two views of one region alias. Because the view owns a reference to its
/// memory, a kernel that takes a `Buffer` can use `base` for as long as the call lasts. Local; not synchronised between threads.
@frozen public struct Buffer<Element: BitwiseCopyable>: @unchecked Sendable {
    @usableFromInline var owner: Memory
    /// The first element; valid while `memory` lives.
    public let base: UnsafeMutablePointer<Element>
    public let count: Int

    /// What keeps the elements alive.
    @inlinable public var memory: Memory { owner }

    /// A view of `count` elements of `memory`, the first at `byteOffset`.
    @inlinable public init(memory: Memory, byteOffset: Int = 0, count: Int) {
        precondition(
            byteOffset >= 0 && count >= 0 && byteOffset + count * MemoryLayout<Element>.stride <= memory.byteCount,
            "view of \(count) elements at byte \(byteOffset) exceeds a region of \(memory.byteCount) bytes")
        self.owner = memory
        self.base = (memory.address + byteOffset).assumingMemoryBound(to: Element.self)
        self.count = count
    }

    /// `count` uninitialised elements from the pool.
    @inlinable public init(count: Int) {
        self.init(memory: Memory(byteCount: count * MemoryLayout<Element>.stride), count: count)
    }

    /// `count` copies of `value`.
    @inlinable public init(repeating value: Element, count: Int) {
        self.init(count: count)
        base.update(repeating: value, count: count)
    }

    /// A copy of `elements`.
    @inlinable public init(_ elements: [Element]) {
        self.init(count: elements.count)
        elements.withUnsafeBufferPointer {
            if let source = $0.baseAddress { base.update(from: source, count: elements.count) }
        }
    }

    @usableFromInline init(memory: Memory, base: UnsafeMutablePointer<Element>, count: Int) {
        self.owner = memory
        self.base = base
        self.count = count
    }

    /// The view of a part; aliases this one.
    @inlinable public subscript(range: Range<Int>) -> Buffer {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "range \(range) exceeds \(count) elements")
        return Buffer(memory: memory, base: base + range.lowerBound, count: range.count)
    }

    /// One element, bounds-checked: for tests and small loops; kernels use `base`.
    @inlinable public subscript(index: Int) -> Element {
        get {
            precondition(index >= 0 && index < count, "index \(index) exceeds \(count) elements")
            return base[index]
        }
        nonmutating set {
            precondition(index >= 0 && index < count, "index \(index) exceeds \(count) elements")
            base[index] = newValue
        }
    }

    /// Whether no other view keeps the memory alive: then nobody in this process sees the elements of owned memory change.
    public mutating func isOnlyView() -> Bool { isKnownUniquelyReferenced(&owner) }

    /// A copy of the elements.
    @inlinable public var array: [Element] {
        withExtendedLifetime(memory) { Array(UnsafeBufferPointer(start: base, count: count)) }
    }

    /// Overwrites every element with `value`.
    @inlinable public func fill(_ value: Element) {
        withExtendedLifetime(memory) { base.update(repeating: value, count: count) }
    }

    /// Overwrites every element with those of `source`, which has the same count; the two may overlap.
    @inlinable public func copy(from source: Buffer) {
        precondition(source.count == count, "copying \(source.count) elements into \(count)")
        withExtendedLifetime((memory, source.memory)) { base.update(from: source.base, count: count) }
    }
}

/// float32: parameters, activations, gradients.
public typealias Floats = Buffer<Float>
/// float64: statistics, Gram matrices, eigenvalues.
public typealias Doubles = Buffer<Double>
