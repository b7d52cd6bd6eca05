// How a failure's message reaches people: on its lines, with its rank. Not here: which failures there are.

import Failures
import Testing

@testable import Collectives

@Suite struct MessageTests {
    /// What is quoted of a file stays on the message's line.
    @Test func controlCharactersAreEscaped() {
        #expect(Failure(.data, "x.npy: found 'a\nb\u{1b}[2Jc\0'").message == #"x.npy: found 'a\nb\x1b[2Jc\x00'"#)
        #expect(Failure(.configuration, "a.yaml:1: one\na.yaml:2: t\two").message == "a.yaml:1: one\na.yaml:2: t\\two")
        #expect(Failure.printable("é 🎉 \\n") == "é 🎉 \\n")
    }

    /// A rank that speaks of itself is named once; of another, both are.
    @Test func aRankIsNamedOnce() {
        #expect(World.line("0", "host", Failure(.data, "rank 0: no rows")) == "[rank 0 host] no rows")
        #expect(World.line("1", "host", Failure(.data, "rank 0: no rows")) == "[rank 1 host] rank 0: no rows")
    }
}
