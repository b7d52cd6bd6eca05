// Random numbers as functions: independent of order and place, apart for every purpose, and distributed as they should be.

import Buffers
import Foundation
import Testing

@testable import Randomness

struct RandomFieldTests {
    private let field = RandomField(seed: 1, purpose: .test)

    @Test func normalsAreAFunctionOfStepRowAndColumn() {
        let whole = field.normals(step: 3, firstRow: 10, rows: 6, columns: 7)
        let parts = [0..<2, 2..<3, 3..<6].map {
            field.normals(step: 3, firstRow: 10 + $0.lowerBound, rows: $0.count, columns: 7).array
        }
        #expect(parts.flatMap { $0 } == whole.array)
        let shorter = Floats(count: 3)
        field.normals(step: 3, row: 12, into: shorter)
        #expect(shorter.array == Array(whole.array[14..<17]), "a row's first numbers do not depend on its length")
    }

    /// Box and Muller's transform by the C library's functions: the same float32, but for last digits at halves.
    @Test func normalsAreThoseOfTheFormula() {
        let values = field.normals(step: 2, firstRow: 0, rows: 20, columns: 999)
        var different = 0
        for row in 0..<20 {
            for column in 0..<999 {
                let words = field.bits(step: 2, row: row, block: column / 4)
                let pair = column % 4 / 2 * 2
                let radius = (-2 * log((Double(words[pair]) + 1) * 0x1p-32)).squareRoot()
                let angle = 2 * Double.pi * Double(words[pair + 1]) * 0x1p-32
                let expected = Float(radius * (column % 2 == 0 ? cos(angle) : sin(angle)))
                let value = values[row * 999 + column]
                if value != expected { different += 1 }
                // Where the angle is a multiple of a quarter, the library's cosine is not zero: its π is rounded.
                #expect(abs(value - expected) <= max(expected.ulp, 1e-15))
            }
        }
        #expect(different < 20)
    }

    @Test func differentKeysGiveDifferentNumbers() {
        func first(_ field: RandomField, step: Int = 0, row: Int = 0) -> [Float] {
            field.normals(step: step, firstRow: row, rows: 1, columns: 8).array
        }
        let variants = [
            first(field), first(field, step: 1), first(field, row: 1), first(field, row: 1 << 32),
            first(RandomField(seed: 2, purpose: .test)), first(RandomField(seed: 1 | 1 << 32, purpose: .test)),
            first(RandomField(seed: 1, purpose: .dropout)), first(RandomField(seed: 1, purpose: .test, stream: 1)),
        ]
        for (index, one) in variants.enumerated() {
            for other in variants[..<index] { #expect(Set(one).isDisjoint(with: other)) }
        }
    }

    @Test func normalsHaveTheirMoments() {
        let count = 200_000
        let values = field.normals(step: 0, firstRow: 0, rows: 200, columns: 1000).array.map(Double.init)
        let moments = (1...4).map { power in
            values.reduce(0) { sum, x in sum + (0..<power).reduce(1) { product, _ in product * x } } / Double(count)
        }
        // Five standard errors: √(Var xᵏ / n) with variances 1, 2, 15, 96.
        for (moment, (expected, variance)) in zip(moments, [(0.0, 1.0), (1, 2), (0, 15), (3, 96)]) {
            #expect(abs(moment - expected) < 5 * (variance / Double(count)).squareRoot())
        }
        #expect(!values.contains { !$0.isFinite })
    }

    @Test func uniformsAndIntegersAreEven() {
        var counts = [Int](repeating: 0, count: 7)
        for row in 0..<7000 {
            counts[field.integer(below: 7, row: row)] += 1
            let uniform = field.uniform(row: row, column: 1)
            #expect(uniform >= 0 && uniform < 1)
        }
        // χ² with 6 degrees of freedom is above 27.9 once in 10,000 fields; this field is fixed.
        let statistic = counts.reduce(0.0) { $0 + (Double($1) - 1000) * (Double($1) - 1000) / 1000 }
        #expect(statistic < 27.9)
    }

    @Test(arguments: [0, 1, 2, 17, 1000])
    func permutationsHoldEverythingOnce(count: Int) {
        let order = field.permutation(count: count)
        #expect(order.sorted() == Array(0..<count))
        #expect(field.permutation(count: count) == order)
        if count >= 17 { #expect(field.permutation(count: count, step: 1) != order) }
    }
}
