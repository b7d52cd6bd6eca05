// Splitting where the script changes. Not here: which scripts there are (UnicodeTables).

/// The pre-tokenizer `UnicodeScripts`.
enum UnicodeScripts {
    private static let table: ScalarTable<UInt8> = {
        var all = [UInt8](repeating: 0, count: 0x110000)
        ScalarFlags.forEachRun(UnicodeTables.scripts) { range, value in
            for scalar in range { all[scalar] = UInt8(value) }
        }
        return ScalarTable(all)
    }()

    /// A piece begins where a scalar's script differs from the last one that is not part of every script; what stands before the first
    /// such scalar is dropped, as `tokenizers` does.
    static func split(_ piece: ArraySlice<UInt8>, _ result: inout [Range<Int>]) {
        var last: UInt8 = 0
        var start: Int?
        UTF8Text.forEachScalar(in: piece) { scalar, range in
            let script = table[scalar]
            guard script != 0, script != last else { return }
            if let start { result.append(start..<range.lowerBound) }
            start = range.lowerBound
            last = script
        }
        if let start { result.append(start..<piece.endIndex) }
    }
}
