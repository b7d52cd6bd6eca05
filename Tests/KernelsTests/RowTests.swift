// Kernels that move or mask rows: embeddings, patches, gathering, pooling, dropout.

import Buffers
import Kernels
import Randomness
import Testing

struct EmbeddingTests {
    @Test(arguments: [1, 3, 16, 37])
    func readsAndAccumulatesRows(width: Int) {
        let table = sample(5 * width, 1)
        let ids: [Int32] = [4, 0, 4, 2]
        let y = unwritten(4 * width)
        embeddingForward(ids: ids, table: table, width: width, into: y)
        let picked = ids.flatMap { table[Int($0) * width..<(Int($0) + 1) * width].array }
        #expect(y.array == picked)

        let (dy, dtable) = (sample(4 * width, 2), Floats(repeating: 1, count: 5 * width))
        embeddingBackward(dy: dy, ids: ids, width: width, dtable: dtable)
        for c in 0..<width {
            #expect(dtable[c] == 1 + dy[width + c])
            #expect(dtable[width + c] == 1)
            #expect(dtable[4 * width + c] == 1 + dy[c] + dy[2 * width + c])
        }
    }

    @Test func noIdsNoRows() {
        let (table, y) = (sample(6, 1), Floats(count: 0))
        let before = table.array
        embeddingForward(ids: [], table: table, width: 3, into: y)
        embeddingBackward(dy: y, ids: [], width: 3, dtable: table)
        #expect(table.array == before)
    }
}

struct PatchesTests {
    /// Two pictures of 2 channels, 4 × 6 pixels, each pixel's value naming its place.
    @Test func orderIsThatOfAConvolutionWeight() {
        let (channels, height, width, patch) = (2, 4, 6, 2)
        let images = Floats((0..<2 * channels * height * width).map(Float.init))
        let y = unwritten(images.count)
        patchesForward(images: images, channels: channels, height: height, width: width, patch: patch, into: y)
        for b in 0..<2 {
            for gy in 0..<2 {
                for gx in 0..<3 {
                    for c in 0..<channels {
                        for py in 0..<patch {
                            for px in 0..<patch {
                                let row = (b * 2 + gy) * 3 + gx
                                let column = (c * patch + py) * patch + px
                                let pixel = ((b * channels + c) * height + gy * patch + py) * width + gx * patch + px
                                #expect(y[row * channels * patch * patch + column] == Float(pixel))
                            }
                        }
                    }
                }
            }
        }
    }
}

struct PatchTokensTests {
    /// Wide enough for whole vectors, and 40 pictures for several threads.
    @Test(arguments: [true, false], [0, 1, 40])
    func putsPatchesInTheirPlaces(hasToken: Bool, pictures: Int) {
        let (patches, columns) = (7, 129)
        let tokens = patches + (hasToken ? 1 : 0)
        let (x, token, positions) = (
            sample(pictures * patches * columns, 1), sample(columns, 2), sample(tokens * columns, 3)
        )
        let dy = sample(pictures * tokens * columns, 4)
        let threads = blasThreads()
        defer { setBLASThreads(threads) }
        let results = [1, 3].map { count -> [[Float]] in
            setBLASThreads(count)
            let (y, dx) = (unwritten(dy.count), unwritten(x.count))
            let (dtoken, dpositions) = (
                Floats(repeating: 1, count: columns), Floats(repeating: 2, count: positions.count)
            )
            patchTokensForward(x, token: hasToken ? token : nil, positions: positions, columns: columns, into: y)
            patchTokensBackward(
                dy, hasToken: hasToken, columns: columns, tokens: tokens, into: dx, dtoken: hasToken ? dtoken : nil,
                dpositions: dpositions)
            patchTokensBackward(
                dy, hasToken: hasToken, columns: columns, tokens: tokens, into: nil, dtoken: nil, dpositions: nil)
            return [y.array, dx.array, dtoken.array, dpositions.array]
        }
        #expect(results[0] == results[1])
        let before = tokens - patches
        for picture in 0..<pictures {
            for place in 0..<tokens {
                for column in 0..<columns {
                    let (row, patch) = (picture * tokens + place, picture * patches + place - before)
                    let here = place < before ? token[column] : x[patch * columns + column]
                    #expect(results[0][0][row * columns + column] == here + positions[place * columns + column])
                    if place >= before {
                        #expect(results[0][1][patch * columns + column] == dy[row * columns + column])
                    }
                }
            }
        }
        for element in 0..<positions.count {
            let sum = (0..<pictures).reduce(0.0) { $0 + Double(dy[$1 * positions.count + element]) }
            #expect(abs(Double(results[0][3][element]) - 2 - sum) < 1e-4)
            if hasToken, element < columns { #expect(abs(Double(results[0][2][element]) - 1 - sum) < 1e-4) }
        }
    }
}

struct PoolingTests {
    @Test(arguments: [1, 5, 16, 70])
    func gatherAndScatterAreAdjoint(columns: Int) {
        let (x, dy) = (sample(6 * columns, 1), sample(3 * columns, 2))
        let indices = [5, 0, 5]
        let (y, dx) = (unwritten(3 * columns), Floats(repeating: 0, count: 6 * columns))
        gatherRows(x, rows: indices, columns: columns, into: y)
        #expect(y.array == indices.flatMap { x[$0 * columns..<($0 + 1) * columns].array })
        scatterAddRows(dy, rows: indices, columns: columns, into: dx)
        // ⟨gather x, dy⟩ = ⟨x, scatter dy⟩; the one float32 addition of the doubled row rounds by u.
        #expect(abs(dot(y, dy) - dot(x, dx)) <= Double(columns) * 16 * unitRoundoff)
        scatterAddRows(dy, rows: indices, columns: columns, into: dx)
        #expect(dx[0] == 2 * dy[columns])
    }

    @Test(arguments: [1, 5, 16, 70])
    func weightedPoolIsTheSum(columns: Int) {
        let offsets = [0, 1, 8, 10]
        let weights = (0..<10).map { Float($0) / 7 - 0.5 }
        let (x, dy) = (sample(10 * columns, 1), sample(3 * columns, 2))
        let (y, dx) = (unwritten(3 * columns), unwritten(10 * columns))
        weightedPoolForward(x, weights: weights, offsets: offsets, columns: columns, into: y)
        weightedPoolBackward(dy, weights: weights, offsets: offsets, columns: columns, into: dx)
        let sums = (0..<3 * columns).map { index in
            (offsets[index / columns]..<offsets[index / columns + 1])
                .reduce(0.0) { $0 + Double(weights[$1]) * Double(x[$1 * columns + index % columns]) }
        }
        expectClose(y, sums, tolerance: 16 * unitRoundoff, "sum")
        let sequences = [0, 1, 1, 1, 1, 1, 1, 1, 2, 2]
        let spread = (0..<10 * columns).map { index in
            Double(weights[index / columns]) * Double(dy[sequences[index / columns] * columns + index % columns])
        }
        expectClose(dx, spread, tolerance: 2 * unitRoundoff, "dx")
    }

    /// Of equal elements the first is taken, also where all are negative.
    @Test(arguments: [1, 5, 16])
    func maxPoolIsTheLargest(columns: Int) {
        let offsets = [0, 1, 8, 10]
        let x = Floats((0..<10 * columns).map { Float(($0 * 7) % 5) - 9 })
        let dy = sample(3 * columns, 2)
        let (y, dx) = (unwritten(3 * columns), unwritten(10 * columns))
        let rows = maxPoolForward(x, offsets: offsets, columns: columns, into: y)
        maxPoolBackward(dy, rows: rows, columns: columns, into: dx)
        var expected = [Float](repeating: 0, count: 10 * columns)
        for index in 0..<3 * columns {
            let own = (offsets[index / columns]..<offsets[index / columns + 1]).map {
                x[$0 * columns + index % columns]
            }
            let largest = own.max() ?? 0
            #expect(y[index] == largest)
            let first = offsets[index / columns] + (own.firstIndex(of: largest) ?? 0)
            #expect(rows[index] == Int32(first))
            expected[first * columns + index % columns] = dy[index]
        }
        #expect(dx.array == expected)
    }

    @Test(arguments: [1, 5, 16, 70])
    func meanPoolIsTheMean(columns: Int) {
        let offsets = [0, 1, 8, 10]
        let (x, dy) = (sample(10 * columns, 1), sample(3 * columns, 2))
        let (y, dx) = (unwritten(3 * columns), unwritten(10 * columns))
        meanPoolForward(x, offsets: offsets, columns: columns, into: y)
        meanPoolBackward(dy, offsets: offsets, columns: columns, into: dx)
        let lengths = [1.0, 7, 2]
        let means = (0..<3 * columns).map { index in
            (offsets[index / columns]..<offsets[index / columns + 1])
                .reduce(0.0) { $0 + Double(x[$1 * columns + index % columns]) } / lengths[index / columns]
        }
        expectClose(y, means, tolerance: 8 * unitRoundoff, "mean")
        let sequences = [0, 1, 1, 1, 1, 1, 1, 1, 2, 2]
        let spread = (0..<10 * columns).map { index in
            Double(dy[sequences[index / columns] * columns + index % columns]) / lengths[sequences[index / columns]]
        }
        expectClose(dx, spread, tolerance: 2 * unitRoundoff, "dx")
    }
}

struct DropoutTests {
    let field = RandomField(seed: 3, purpose: .dropout, stream: 1)

    @Test(arguments: [1, 4, 7, 130])
    func maskIsAFunctionOfStepRowAndColumn(columns: Int) {
        let x = Floats(repeating: 2, count: 6 * columns)
        let (whole, part) = (unwritten(6 * columns), unwritten(2 * columns))
        dropoutForward(x, keep: 0.75, field: field, step: 9, firstRow: 10, columns: columns, into: whole)
        for row in 0..<6 {
            for column in 0..<columns {
                let kept = field.uniform(step: 9, row: 10 + row, column: column) < 0.75
                #expect(whole[row * columns + column] == (kept ? 2 * (1 / 0.75 as Float) : 0))
            }
        }
        // The same global rows elsewhere, in another order, have the same mask.
        dropoutForward(
            x[0..<2 * columns], keep: 0.75, field: field, step: 9, rows: [15, 11], columns: columns, into: part)
        #expect(part.array == whole[5 * columns..<6 * columns].array + whole[columns..<2 * columns].array)
    }

    @Test func keepsTheMeanAndAllAtOne() {
        let x = Floats(repeating: 1, count: 40_000)
        let y = unwritten(40_000)
        dropoutForward(x, keep: 0.9, field: field, step: 0, firstRow: 0, columns: 100, into: y)
        // Standard deviation of the mean: √(0.1/0.9 / 40,000) = 1.7e-3; five of them.
        #expect(abs(dot(x, y) / 40_000 - 1) < 8.4e-3)
        dropoutForward(x, keep: 1, field: field, step: 0, firstRow: 0, columns: 100, into: y)
        #expect(y.array == x.array)
    }
}
