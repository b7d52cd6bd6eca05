// A binary heap. Not here: what is ordered (BPETrainer, WordMerger).

/// A multiset that gives its smallest element in O(log n).
struct BinaryHeap<Element: Comparable> {
    private var elements: [Element] = []

    init() {}

    var isEmpty: Bool { elements.isEmpty }

    mutating func removeAll() { elements.removeAll(keepingCapacity: true) }

    mutating func insert(_ element: Element) {
        elements.append(element)
        var child = elements.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard elements[child] < elements[parent] else { return }
            elements.swapAt(child, parent)
            child = parent
        }
    }

    /// Removes and returns a smallest element; nil when there is none.
    mutating func popMinimum() -> Element? {
        guard let last = elements.popLast() else { return nil }
        guard let result = elements.first else { return last }
        elements[0] = last
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < elements.count else { break }
            if child + 1 < elements.count, elements[child + 1] < elements[child] { child += 1 }
            guard elements[child] < elements[parent] else { break }
            elements.swapAt(child, parent)
            parent = child
        }
        return result
    }
}
