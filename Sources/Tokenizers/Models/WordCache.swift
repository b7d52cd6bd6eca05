// Ids of words that were seen before. Not here: the models.

/// Words and their ids, in a bounded amount of memory; full, it begins anew. For one thread.
struct WordCache {
    private struct Entry {
        var hash: UInt64 = 0
        var word: Int32 = 0
        var wordLength: Int32 = -1
        var ids: Int32 = 0
        var idCount: Int32 = 0
    }

    private static let slots = 1 << 16
    private static let maximumBytes = 1 << 22
    /// Longer words seldom come again.
    static let maximumLength = 64

    private var entries = [Entry](repeating: Entry(), count: slots)
    private var count = 0
    private var words: [UInt8] = []
    private var ids: [Int32] = []

    @inline(__always)
    static func hash(_ word: UnsafeBufferPointer<UInt8>) -> UInt64 {
        var hash: UInt64 = 0x9E37_79B9_7F4A_7C15 ^ UInt64(word.count)
        var position = 0
        let raw = UnsafeRawBufferPointer(word)
        while position + 8 <= word.count {
            hash = (hash ^ raw.loadUnaligned(fromByteOffset: position, as: UInt64.self)) &* 0xFF51_AFD7_ED55_8CCD
            hash ^= hash >> 32
            position += 8
        }
        var rest: UInt64 = 0
        while position < word.count {
            rest = rest << 8 | UInt64(word[position])
            position += 1
        }
        hash = (hash ^ rest) &* 0xC4CE_B9FE_1A85_EC53
        return hash ^ hash >> 29
    }

    /// Appends the ids of a word that is known.
    @inline(__always)
    func append(_ word: UnsafeBufferPointer<UInt8>, _ hash: UInt64, to result: inout [Int32]) -> Bool {
        var slot = Int(truncatingIfNeeded: hash) & (Self.slots - 1)
        while entries[slot].wordLength >= 0 {
            let entry = entries[slot]
            if entry.hash == hash, Int(entry.wordLength) == word.count,
                words[Int(entry.word)..<Int(entry.word + entry.wordLength)].elementsEqual(word)
            {
                for place in Int(entry.ids)..<Int(entry.ids + entry.idCount) { result.append(ids[place]) }
                return true
            }
            slot = (slot + 1) & (Self.slots - 1)
        }
        return false
    }

    mutating func insert(_ word: UnsafeBufferPointer<UInt8>, _ hash: UInt64, ids new: ArraySlice<Int32>) {
        if 2 * count >= Self.slots || words.count + 4 * ids.count > Self.maximumBytes {
            entries = [Entry](repeating: Entry(), count: Self.slots)
            count = 0
            words.removeAll(keepingCapacity: true)
            ids.removeAll(keepingCapacity: true)
        }
        var slot = Int(truncatingIfNeeded: hash) & (Self.slots - 1)
        while entries[slot].wordLength >= 0 { slot = (slot + 1) & (Self.slots - 1) }
        entries[slot] = Entry(
            hash: hash, word: Int32(words.count), wordLength: Int32(word.count), ids: Int32(ids.count),
            idCount: Int32(new.count))
        words.append(contentsOf: word)
        ids.append(contentsOf: new)
        count += 1
    }
}
