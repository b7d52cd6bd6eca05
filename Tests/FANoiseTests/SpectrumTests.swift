// Summaries of a spectrum, the noise bulk, advice and the collapse tracker. Not here: noise.

import Buffers
import Collectives
import FANoise
import Foundation
import Oracles
import Randomness
import Testing

@Suite struct SpectrumTests {
    @Test func summariesOfKnownSpectra() {
        let flat = Spectrum(singularValues: [2, 2, 2, 2], rows: 9, columns: 4)
        #expect(
            abs(flat.effectiveRank - 4) < 1e-12 && abs(flat.flatness - 1) < 1e-12 && flat.topShare == 0.25
                && flat.dimension == 4)
        let single = Spectrum(singularValues: [3, 0, 0], rows: 3, columns: 5)
        #expect(
            single.effectiveRank == 1 && abs(single.flatness - 1 / 3) < 1e-12 && single.topShare == 1
                && single.dimension == 1)
        let zero = Spectrum(singularValues: [0, 0], rows: 2, columns: 5)
        #expect(zero.effectiveRank == 0 && zero.flatness == 0 && zero.topShare == 0 && zero.dimension == 0)
        let mixed = Spectrum(singularValues: [3, 1], rows: 2, columns: 2)
        // p = 3/4, 1/4.
        #expect(abs(mixed.effectiveRank - exp(-0.75 * log(0.75) - 0.25 * log(0.25))) < 1e-12)
        #expect(abs(mixed.flatness - 0.8) < 1e-12 && abs(mixed.topShare - 0.9) < 1e-12)
    }

    /// numpy: matrix_rank(numpy.diag([1, t]).astype("float32")) counts t only above max(m, n) · eps · σ_1.
    @Test func toleranceIsNumpysRule() {
        let floor = 4 * Double(Float.ulpOfOne)
        #expect(Spectrum(singularValues: [1, floor * 1.01], rows: 2, columns: 4).dimension == 2)
        #expect(Spectrum(singularValues: [1, floor], rows: 2, columns: 4).dimension == 1)
        #expect(Spectrum(singularValues: [1, floor * 1.9], rows: 2, columns: 4, scale: 2).dimension == 1)
    }

    /// The paper's 1000 × 1536 at α = 0.1 and values worked out by hand.
    @Test func bulkAndThreshold() {
        let paper = Spectrum(
            singularValues: Array(repeating: 0.09, count: 500) + Array(repeating: 0.01, count: 500), rows: 1000,
            columns: 1536)
        #expect(
            abs(paper.bulk(strength: 0.1).lower - 0.0193129) < 1e-6
                && abs(paper.bulk(strength: 0.1).upper - 0.1806871) < 1e-6)
        #expect(abs(paper.detectionThreshold(strength: 0.1) - 0.0898260) < 1e-6)
        #expect(paper.shareBelowThreshold(strength: 0.1) == 0.5 && paper.shareBelowThreshold(strength: 1) == 1)
        let tall = Spectrum(singularValues: [1], rows: 4, columns: 1)
        #expect(tall.bulk(strength: 1).lower == 1 && tall.bulk(strength: 1).upper == 3)
    }

    /// Singular values of Gaussian noise lie in the bulk, up to fluctuations of order n^(−2/3).
    @Test(arguments: [(60, 120), (120, 60)]) func bulkHoldsPureNoise(m: Int, n: Int) throws {
        let zeros = BatchKind.zero.values(rows: m, columns: n)
        let noise = try perturbed(zeros, rows: m, columns: n, options: NoiseOptions(scaling: .gaussian, strength: 0.5))
            .values
        let spectrum = try Spectrum.measure(
            Floats(noise), rows: m, columns: n, firstRow: 0, globalRows: m, communicator: SoloWorld())
        let bulk = spectrum.bulk(strength: 0.5)
        let slack = 0.5 * pow(60, -2.0 / 3)
        #expect(spectrum.singularValues[0] < bulk.upper + slack && spectrum.singularValues[0] > bulk.upper - 2 * slack)
        #expect(
            spectrum.singularValues[59] > bulk.lower - slack && spectrum.singularValues[59] < bulk.lower + 2 * slack)
    }

    @Test(arguments: [NoiseOptions.Solver.gram, .svd, .randomized], [false, true])
    func measurementMatchesJacobi(solver: NoiseOptions.Solver, center: Bool) throws {
        for (m, n) in [(30, 7), (7, 30), (1, 4)] {
            for kind in BatchKind.allCases {
                let values = kind.values(rows: m, columns: n)
                let x = Dense(m, n, values)
                let expected = jacobiSVD(center ? x.centred : x).sigma
                for ranks in [1, 3] {
                    let spectra = try measured(values, m, n, ranks: ranks, center: center, solver: solver)
                    #expect(spectra.allSatisfy { $0 == spectra[0] })
                    // √(30 · 2⁻⁵³) ‖X‖ for what should be zero; exact to rounding elsewhere.
                    for (value, wanted) in zip(spectra[0].singularValues, expected) {
                        #expect(abs(value - wanted) <= 6e-8 * x.norm)
                    }
                }
            }
        }
    }

    /// The spectrum of m × n values as each rank of an uneven world finds it.
    private func measured(
        _ values: [Float], _ m: Int, _ n: Int, ranks: Int, center: Bool, solver: NoiseOptions.Solver
    ) throws -> [Spectrum] {
        let counts = Sharding.growing.counts(rows: m, ranks: ranks)
        return try inWorld(ranks) { communicator in
            let first = counts[..<communicator.rank].reduce(0, +)
            let count = counts[communicator.rank]
            return try Spectrum.measure(
                Floats(Array(values[first * n..<(first + count) * n])), rows: count, columns: n, firstRow: first,
                globalRows: m, center: center, solver: solver, communicator: communicator)
        }
    }

    /// Of float32 products: squares of singular values good to 2⁻¹⁸ σ₁² (or of what centring took away), and what may be nothing but their
    /// rounding counts as zero. Rows that are all alike round the same way in every sum, several times 128 of them.
    @Test(arguments: [(30, 7), (7, 30), (90, 60), (600, 9), (2000, 2)], [false, true])
    func singleProductsLoseWhatTheySay(shape: (Int, Int), center: Bool) throws {
        let (m, n) = shape
        for kind in BatchKind.allCases {
            let values = kind.values(rows: m, columns: n)
            let x = Dense(m, n, values)
            let expected = jacobiSVD(center ? x.centred : x).sigma
            let removed = center ? max(0, x.norm * x.norm - x.centred.norm * x.centred.norm).squareRoot() : 0
            let scale = max(expected[0], removed)
            for ranks in [1, 3] {
                let spectra = try measured(values, m, n, ranks: ranks, center: center, solver: .gram32)
                #expect(spectra.allSatisfy { $0 == spectra[0] })
                for (value, wanted) in zip(spectra[0].singularValues, expected) {
                    #expect(abs(value * value - wanted * wanted) <= 0x1p-18 * scale * scale)
                }
                let floor = Spectrum.singleTolerance(rows: m, columns: n, scale: scale)
                #expect(spectra[0].dimension <= expected.count { $0 > floor / 2 }, "\(kind) \(m)×\(n)")
                #expect(spectra[0].dimension >= expected.count { $0 > floor * 2 }, "\(kind) \(m)×\(n)")
            }
        }
    }

    @Test func automaticSolverIsExactUpToALimit() {
        #expect(NoiseOptions.Solver.auto.resolved(rows: 1_000_000, columns: 4096) == .gram)
        #expect(NoiseOptions.Solver.auto.resolved(rows: 4096, columns: 100_000) == .gram)
        #expect(NoiseOptions.Solver.auto.resolved(rows: 4097, columns: 4097) == .randomized)
        #expect(NoiseOptions.Solver.svd.resolved(rows: 5000, columns: 5000) == .svd)
    }

    @Test func adviceNamesWhatIsWrong() {
        let spectrum = Spectrum(singularValues: [10, 1, 1, 1, 0], rows: 5, columns: 5)
        let advice = Advice.on(spectrum, strength: 2, centered: false)
        #expect(
            advice == [
                .strengthTooLarge(share: 0.75, threshold: 2), .dominantDirection(share: 100 / 103),
                .rankDeficient(dimension: 4, order: 5),
            ])
        #expect(Advice.on(spectrum, strength: 0.5, centered: true) == [.rankDeficient(dimension: 4, order: 5)])
        let flat = Spectrum(singularValues: [1, 1, 0.9], rows: 3, columns: 5)
        #expect(Advice.on(flat, strength: nil, centered: false) == [.flatSpectrum(flatness: flat.flatness)])
        #expect(advice[0].description.contains("75 % of the non-zero directions"))
        #expect(advice[0].description.contains("2.0 = (m/n)^(1/4) α"))
    }

    @Test func trackerSpeaksOfCollapseAndGrowth() {
        func report(_ sigma: [Double], _ norm: Double) -> NoiseReport {
            NoiseReport(
                strength: 1, noiseToSignal: 0, cosine: 1, rowNorm: norm,
                spectrum: Spectrum(singularValues: sigma, rows: 4, columns: 4), spectrumStep: 0, solver: .gram,
                advice: [],
                seconds: (spectrum: 0, noise: 0))
        }
        var tracker = CollapseTracker()
        #expect(tracker.observe(report([1, 1, 1, 1], 1)).isEmpty)
        #expect(tracker.observe(report([1, 1, 0.5, 0.1], 9)).isEmpty)
        let collapsed = tracker.observe(report([1, 0.01, 0.01, 0], 11))
        #expect(collapsed.count == 2)
        #expect(collapsed.first.map { "\($0)".contains("collapsing: effective rank 1.1") } == true)
        #expect(collapsed.last == .normGrowing(norm: 11, first: 1))
    }

    /// An epoch's last batch has fewer directions because it has fewer rows; one that lies in a single direction has collapsed all the same.
    @Test func shortBatchesAreNoCollapse() {
        func report(_ sigma: [Double]) -> NoiseReport {
            NoiseReport(
                strength: 1, noiseToSignal: 0, cosine: 1, rowNorm: 1,
                spectrum: Spectrum(singularValues: sigma, rows: sigma.count, columns: 64), spectrumStep: 0,
                solver: .gram, advice: [], seconds: (spectrum: 0, noise: 0))
        }
        var tracker = CollapseTracker()
        #expect(tracker.observe(report(Array(repeating: 1, count: 40))).isEmpty)
        for rows in [8, 3, 1] { #expect(tracker.observe(report(Array(repeating: 1, count: rows))).isEmpty) }
        #expect(tracker.observe(report([1, 1] + Array(repeating: 0, count: 7))).count == 1)
        #expect(tracker.observe(report(Array(repeating: 1, count: 8) + Array(repeating: 0, count: 32))).count == 1)
    }
}
