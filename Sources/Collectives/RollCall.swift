// Who is where, asked over a side channel once something takes long. Not here: when to ask (MPIWorld.swift), what to print (World.swift).

import Buffers
import Foundation

/// Words of the side channel.
typealias Words = Buffer<Int64>

/// The side channel of an MPI world. It is silent until a rank has waited for a second; from then on that rank answers questions,
/// and one whose deadline has passed asks. Small messages only: none of its calls blocks, whatever the peers do.
final class RollCall {
    private enum Tag: Int32, CaseIterable { case question = 1, answer, failure, check }

    /// How long a rank that asks waits for answers: a rank that has just begun to wait answers after one second.
    static let grace = Duration.seconds(2)
    /// How long a failing rank listens for others that fail at the same moment.
    private static let claimTime = Duration.milliseconds(50)

    let rank: Int
    let size: Int
    private let group: MPIGroup
    private let hosts: [String]
    private var outgoing: [(mail: Mailbox, words: Words)] = []
    private var answers: [Int: RankReport] = [:]
    /// The ranks that are asking because their own deadline has passed.
    private(set) var asking: Set<Int> = []
    /// The ranks that have said that they are about to end the job.
    private(set) var failing: Set<Int> = []

    init(rank: Int, size: Int, hosts: [String], group: MPIGroup) {
        self.rank = rank
        self.size = size
        self.hosts = hosts
        self.group = group
    }

    /// Takes in all messages; answers questions with `report`.
    func serve(_ report: RankReport) throws {
        while let source = try group.probe(tag: Tag.question.rawValue) {
            _ = try take(.question, from: source)
            asking.insert(Int(source))
            try send(report.words, .answer, to: Int(source))
        }
        while let source = try group.probe(tag: Tag.answer.rawValue) {
            answers[Int(source)] = RankReport(words: try take(.answer, from: source))
        }
        while let source = try group.probe(tag: Tag.failure.rawValue) {
            _ = try take(.failure, from: source)
            failing.insert(Int(source))
        }
        for index in outgoing.indices { try outgoing[index].mail.test() }
        outgoing.removeAll { $0.mail.isEmpty }
    }

    /// Asks everybody where they are; the answers come by `serve`.
    func ask() throws {
        answers = [:]
        for other in 0..<size where other != rank { try send(RankReport().words, .question, to: other) }
    }

    /// The ranks that, by their answers, have not started the collective of `report`, or have not answered; for people.
    func missing(in report: RankReport) -> [String] {
        (0..<size).filter { $0 != rank }.compactMap { other in
            let name = "rank \(other)" + (Set(hosts).count > 1 ? " on \(hosts[other])" : "")
            guard let answer = answers[other] else { return "\(name) (no answer)" }
            if answer.sequence == report.sequence, answer.signature != report.signature,
                report.signature.kind != .finish
            {
                return "\(name) (is in \(answer.signature.title(answer.sequence)) instead)"
            }
            let isMissing =
                report.signature.kind == .finish
                ? answer.signature.kind != .finish : answer.sequence < report.sequence
            return isMissing ? "\(name) (\(answer.lastSeen))" : nil
        }
    }

    /// Whether this rank is the one that speaks for the job: true unless another failed before, or a lower one fails now.
    ///
    /// Takes 50 ms, never more; errors of MPI count as silence.
    func claimFailure(_ report: RankReport) -> Bool {
        guard size > 1 else { return true }
        do {
            try serve(report)
            guard failing.isEmpty else { return false }
            for other in 0..<size where other != rank { try send(RankReport().words, .failure, to: other) }
            let start = ContinuousClock.now
            while ContinuousClock.now - start < Self.claimTime {
                try serve(report)
                if failing.contains(where: { $0 < rank }) { return false }
                usleep(500)
            }
        } catch {
            return true
        }
        return true
    }

    /// Posts the exchange of what all ranks say about a collective; `words` holds W reports once it is complete.
    func postCheck(_ report: RankReport, _ mail: inout Mailbox, _ words: Words) throws {
        let count = RankReport.wordCount
        for (index, word) in report.words.enumerated() { words[rank * count + index] = word }
        let whole = Payload(words)
        for other in 0..<size where other != rank {
            try mail.receive(whole.at(other * count), count, .int64, from: other, tag: Tag.check.rawValue, group)
        }
        for other in 0..<size where other != rank {
            try mail.send(whole.at(rank * count), count, .int64, to: other, tag: Tag.check.rawValue, group)
        }
    }

    private func take(_ tag: Tag, from source: Int32) throws -> [Int64] {
        try group.receiveWords(RankReport.wordCount, from: source, tag: tag.rawValue)
    }

    private func send(_ words: [Int64], _ tag: Tag, to destination: Int) throws {
        let buffer = Words(words)
        var mail = Mailbox()
        try mail.send(buffer.base, words.count, .int64, to: destination, tag: tag.rawValue, group)
        outgoing.append((mail, buffer))
    }
}
