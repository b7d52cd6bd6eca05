// Whether all ranks still hold the same parameters, bit for bit. Not here: agreement on what is trained (Trainer), on collectives.

import Autograd
import Buffers
import Collectives
import Failures

/// Compares the parameters of the ranks through checksums: one of everything, and only if these differ one of each tensor.
///
/// Every rank gets every updated parameter from the rank that owns it, so a difference means damaged memory, a faulty processor or a
/// faulty network, and everything computed since is worthless.
struct ParameterAgreement {
    private let parameters: Parameters
    private let communicator: any Communicator

    init(_ parameters: Parameters, _ communicator: any Communicator) {
        self.parameters = parameters
        self.communicator = communicator
    }

    /// Throws, equally on every rank, when some rank's parameters differ. *Collective.* Reads the parameters once.
    /// - Throws: `Failure(.internal)` naming the ranks that differ from most, and the first tensor in which they do.
    func check(step: Int) throws {
        guard communicator.size > 1 else { return }
        guard let odd = Self.minority(try communicator.allGather(Self.checksum(parameters.values))) else { return }
        let layout = parameters.layout
        let own = Buffer<Int64>(layout.entries.map { Int64(Self.checksum(parameters.values[$0.range])) })
        let all = Buffer<Int64>(count: own.count * communicator.size)
        try communicator.allGather(own, into: all)
        let different = layout.entries.indices.filter { tensor in
            (1..<communicator.size).contains { all[$0 * own.count + tensor] != all[tensor] }
        }
        let place = different.first.map { "'\(layout.entries[$0].name)'" } ?? "the padding between tensors"
        let more = different.count > 1 ? " and \(different.count - 1) more" : ""
        let ranks =
            odd.count == 1 ? "rank \(odd[0]) differs" : "ranks \(odd.map(String.init).joined(separator: ", ")) differ"
        throw Failure(
            .internal,
            "step \(step): the ranks no longer hold the same parameters: \(ranks) from the others in \(place)\(more); nothing was saved. "
                + "Resume from the last checkpoint; if it happens again, test the memory of that rank's host")
    }

    /// The positions of the values that are not the most frequent one (of equally frequent ones, the one that comes first); nil when
    /// all are equal.
    static func minority(_ values: [Int]) -> [Int]? {
        let counts = Dictionary(values.map { ($0, 1) }, uniquingKeysWith: +)
        let most = counts.values.max() ?? 0
        guard most < values.count, let usual = values.first(where: { counts[$0] == most }) else { return nil }
        return values.indices.filter { values[$0] != usual }
    }

    /// 64 bits of the bits of `values`; any change of a single element changes them.
    ///
    /// ```
    /// lane ← 33 · lane + word,  lane ← lane xor lane >> 15      (mod 2³², both one to one in `lane` and in `word`)
    /// ```
    /// In 16 lanes, which are then folded the same way in 64 bits.
    static func checksum(_ values: Floats) -> Int {
        typealias Words = SIMD16<UInt32>
        var lanes = Words(repeating: 0x9E37_79B9)
        let whole = values.count / Words.scalarCount * Words.scalarCount
        withExtendedLifetime(values.memory) {
            let source = UnsafeRawPointer(values.base)
            for index in stride(from: 0, to: whole, by: Words.scalarCount) {
                let words = source.loadUnaligned(fromByteOffset: index * 4, as: Words.self)
                lanes = lanes &+ (lanes &<< 5) &+ words
                lanes ^= lanes &>> 15
            }
        }
        let rest = (whole..<values.count).map { values[$0].bitPattern }
        let folded = (lanes.indices.map { lanes[$0] } + rest).reduce(UInt64(truncatingIfNeeded: values.count)) {
            let sum = ($0 &+ UInt64($1)) &* 0x9E37_79B9_7F4A_7C15
            return sum ^ sum >> 32
        }
        return Int(bitPattern: UInt(folded))
    }
}
