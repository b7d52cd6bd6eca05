// What is wrong with the spectra of a run, told once in words. Not here: what is measured (FANoise), where it is written (RunLog).

import FANoise
import Reports

/// Remarks on the spectra of a run's steps and evaluations, each made once.
struct SpectrumRemarks {
    /// Steps in a row for which advice must hold, for the first steps of a run are always unlike the others.
    private static let patience = 50

    private var collapse: [String: CollapseTracker] = [:]
    /// For how many steps in a row each remark has held, and which have been made.
    private var held: [String: Int] = [:]
    private var made: Set<String> = []

    /// What is wrong with a step's spectra: a collapse at once, the rest when it has held for a while.
    mutating func remarks(on report: StepReport) -> [String] {
        var sentences: [String] = []
        var holding: Set<String> = []
        for (side, noise) in [("queries", report.queryNoise), ("targets", report.targetNoise)] {
            guard let noise else { continue }
            let trend = collapse[side, default: CollapseTracker()].observe(noise)
            let steady = noise.advice.filter(\.isWorthAWarning).map { ($0, Self.patience) }
            for (advice, patience) in steady + trend.map({ ($0, 1) }) {
                let remark = "\(side) \(Mirror(reflecting: advice).children.first?.label ?? "\(advice)")"
                holding.insert(remark)
                held[remark, default: 0] += 1
                guard held[remark, default: 0] >= patience, made.insert(remark).inserted else { continue }
                sentences.append("step \(report.step), \(side): \(advice)")
            }
        }
        held = held.filter { holding.contains($0.key) }
        return sentences
    }

    /// Whether held-out embeddings have collapsed, with noise or without.
    /// - Parameters:
    ///   - name: the evaluation set's.
    ///   - columns: the embeddings' width.
    mutating func remark(on report: EvaluationReport, name: String, columns: Int, step: Int) -> String? {
        let rank = report.geometry.effectiveRank
        let possible = min(report.queryToTarget.queries, columns)
        guard CollapseRule.holds(rank, of: possible), made.insert("held-out collapse").inserted else { return nil }
        return "step \(step), \(name): the embeddings of the queries have collapsed: effective rank "
            + "\(ProgressLine.decimal(rank, 1)), where \(possible) is possible; \(CollapseRule.remedy)"
    }
}

extension Advice {
    /// A few missing directions among many are ordinary early in training.
    fileprivate var isWorthAWarning: Bool {
        if case .rankDeficient(let dimension, let order) = self { return 10 * dimension < 9 * order }
        return true
    }
}
