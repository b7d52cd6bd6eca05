// Views that alias and keep their memory alive, the pool that lends it again, and the parameter layout.

import Testing

@testable import Buffers

struct BufferTests {
    @Test func partsAliasTheWhole() {
        let whole = Floats([1, 2, 3, 4, 5])
        let part = whole[1..<4]
        part[0] = 20
        #expect(whole.array == [1, 20, 3, 4, 5])
        #expect(part[1..<3].array == [3, 4])
        #expect(whole[5..<5].count == 0)
    }

    @Test func aPartKeepsTheMemoryAlive() {
        weak var memory: Memory?
        var part: Floats? = {
            let whole = Floats([1, 2, 3])
            memory = whole.memory
            return whole[2..<3]
        }()
        #expect(memory != nil)
        #expect(part?[0] == 3)
        part = nil
        #expect(memory == nil)
    }

    @Test func memoryIsAlignedAndLentAgain() {
        let size = 5_000_007
        let first = UInt(bitPattern: Memory(byteCount: size).address)
        let again = Memory(byteCount: size - 1000)
        #expect(
            UInt(bitPattern: again.address) == first, "a size of the same class takes the region that was given back")
        #expect(first % 64 == 0)
    }

    @Test(arguments: [0, 1, 256, 257, 4096, 4097, 9000, 1 << 20, (1 << 20) + 1, 123_456_789])
    func capacitiesWasteLittle(bytes: Int) {
        let capacity = MemoryPool.capacity(for: bytes)
        #expect(capacity >= bytes)
        #expect(bytes <= 4096 || Double(capacity) <= 1.125 * Double(bytes) + 1)
        #expect(MemoryPool.capacity(for: capacity) == capacity)
    }

    @Test func foreignMemoryIsReleasedOnce() {
        var releases = 0
        let region = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64)
        do {
            let memory = Memory(address: region, byteCount: 64) { pointer in
                pointer.deallocate()
                releases += 1
            }
            let view = Buffer<Double>(memory: memory, byteOffset: 8, count: 7)
            view.fill(2)
            #expect(view.array == Array(repeating: 2, count: 7))
        }
        #expect(releases == 1)
    }
}

struct ParameterLayoutTests {
    @Test func tensorsAreAlignedAndFound() {
        var layout = ParameterLayout()
        let weight = layout.add("a.weight", shape: [3, 5], decays: true)
        let bias = layout.add("a.bias", shape: [17], decays: false)
        let scalar = layout.add("scalar", shape: [], decays: false)
        #expect(layout.entries.map(\.offset) == [0, 16, 48])
        #expect(layout.entries.map(\.count) == [15, 17, 1])
        #expect(layout.count == 64)
        #expect(layout.parameterCount == 33)
        #expect([weight, bias, scalar] == [0, 1, 2])
        #expect(layout.index(of: "a.bias") == 1)
        #expect(layout.index(of: "b") == nil)
    }
}
