// What progress writes, with a clock and a terminal that the test holds.

import Testing

@testable import Training

/// A terminal and a clock.
private final class Surroundings {
    var time = 100.0
    var text = ""

    func line(_ style: ProgressLine.Style, resumedStep: Int = 0, columns: Int = 120) -> ProgressLine {
        ProgressLine(
            style: style, resumedStep: resumedStep, steps: 600, every: 10, write: { self.text += $0 },
            columns: { columns },
            clock: { self.time })
    }
}

private func state(_ step: Int, loss: Double = 2) -> ProgressLine.State {
    ProgressLine.State(step: step, loss: loss, precisionAt1: 0.3125, samplesPerSecond: 512.4)
}

@Suite struct ProgressLineTests {
    struct Case: Sendable {
        let rank: Int
        let terminal: Bool
        let environment: [String: String]
        var requested: ProgressLine.Style?
        let expected: ProgressLine.Style
    }

    @Test(arguments: [
        Case(rank: 0, terminal: true, environment: [:], expected: .bar),
        Case(rank: 0, terminal: false, environment: [:], expected: .lines),
        Case(rank: 0, terminal: true, environment: ["TERM": "dumb"], expected: .lines),
        Case(rank: 0, terminal: true, environment: ["OMPI_COMM_WORLD_SIZE": "2"], expected: .lines),
        Case(rank: 0, terminal: true, environment: ["OMPI_COMM_WORLD_SIZE": "2"], requested: .bar, expected: .bar),
        Case(rank: 1, terminal: true, environment: [:], requested: .bar, expected: .silent),
    ])
    func styleFitsTheSurroundings(style: Case) {
        let found = ProgressLine.style(
            rank: style.rank, requested: style.requested, isTerminal: style.terminal, environment: style.environment)
        #expect(found == style.expected)
    }

    @Test func plainLinesEveryFewSteps() {
        let surroundings = Surroundings()
        let line = surroundings.line(.lines, resumedStep: 15)
        for step in 16...21 {
            surroundings.time += 2
            line.update(state(step))
        }
        line.update(state(600, loss: .nan))
        line.finish()
        // Five steps in ten seconds: the other 580 take 1160 s.
        #expect(
            surroundings.text == """
                step 20/600  loss 2.0000  P@1 31.2 %  512 samples/s  19:20 left
                step 600/600  loss –  P@1 31.2 %  512 samples/s  0:00 left

                """)
    }

    @Test func theBarIsRedrawnInPlace() {
        let surroundings = Surroundings()
        let line = surroundings.line(.bar)
        line.update(state(300))
        surroundings.time += 0.05
        line.update(state(301))
        let once = surroundings.text
        #expect(once.hasPrefix("\r\u{1B}[2K━") && once.contains("step 300/600") && !once.contains("\n"))
        #expect(once.count { $0 == "━" } == once.count { $0 == "╌" })
        line.message("saved")
        #expect(surroundings.text == once + "\r\u{1B}[2Ksaved\n" + once.dropFirst("\r\u{1B}[2K".count))
        line.finish()
        #expect(surroundings.text.hasSuffix("\n"))
    }

    @Test(arguments: [10, 30, 70, 200])
    func theBarFitsTheTerminal(columns: Int) {
        let surroundings = Surroundings()
        surroundings.line(.bar, columns: columns).update(state(1))
        #expect(surroundings.text.replacing("\r\u{1B}[2K", with: "").count <= max(10, columns - 1))
    }

    @Test func silenceIsSilent() {
        let surroundings = Surroundings()
        let line = surroundings.line(.silent)
        line.update(state(600))
        line.message("a")
        line.finish()
        #expect(surroundings.text.isEmpty)
    }

    @Test(arguments: [(0.0, "0:00"), (59.2, "1:00"), (61, "1:01"), (7384, "2:03:04"), (.nan, "–"), (.infinity, "–")])
    func durations(seconds: Double, expected: String) { #expect(ProgressLine.duration(seconds) == expected) }
}
