// What a person sees of a run under way, on standard error. Not here: the record for programs (MetricsWriter.swift).

import Foundation

/// A number and what it counts: `1 row`, `2 rows`.
/// - Parameter plural: of a noun that takes another ending than s.
public func counted(_ count: Int, _ noun: String, plural: String? = nil) -> String {
    "\(count) \(count == 1 ? noun : plural ?? noun + "s")"
}

/// Progress of training: one line redrawn in place on a terminal, plain lines elsewhere. Stays on the training thread.
public final class ProgressLine {
    public enum Style: Sendable, Equatable {
        /// A bar with rate, loss and time left, redrawn in place.
        case bar
        /// A line every few steps.
        case lines
        /// Nothing: other ranks than 0.
        case silent
    }

    /// What fits the surroundings. Under `mpirun`, standard error claims to be a terminal but mixes the ranks: no bar unless asked.
    /// - Parameter requested: what the user asked for; nil for nothing in particular.
    public static func style(rank: Int, requested: Style? = nil) -> Style {
        style(
            rank: rank, requested: requested, isTerminal: isatty(STDERR_FILENO) == 1,
            environment: ProcessInfo.processInfo.environment)
    }

    static func style(rank: Int, requested: Style?, isTerminal: Bool, environment: [String: String]) -> Style {
        if rank != 0 { return .silent }
        if let requested { return requested }
        let launched = environment["OMPI_COMM_WORLD_SIZE"] != nil
        return isTerminal && !launched && environment["TERM"] != "dumb" ? .bar : .lines
    }

    /// What is known of a step.
    public struct State: Sendable {
        public var step: Int
        public var loss: Double
        public var precisionAt1: Double
        public var samplesPerSecond: Double

        public init(step: Int, loss: Double, precisionAt1: Double, samplesPerSecond: Double) {
            self.step = step
            self.loss = loss
            self.precisionAt1 = precisionAt1
            self.samplesPerSecond = samplesPerSecond
        }
    }

    private let style: Style
    private let firstStep: Int
    private let steps: Int
    private let every: Int
    private let write: (String) -> Void
    private let columns: () -> Int
    private let clock: () -> Double
    private let start: Double
    private var drawn = -Double.infinity
    private var bar: String?

    /// Progress on standard error.
    /// - Parameters:
    ///   - resumedStep: steps done before this process; the time left is estimated from those after.
    ///   - steps: steps of the whole training.
    ///   - every: steps between plain lines.
    public convenience init(style: Style, resumedStep: Int = 0, steps: Int, every: Int) {
        self.init(
            style: style, resumedStep: resumedStep, steps: steps, every: every,
            write: ProgressLine.writeToStandardError,
            columns: ProgressLine.terminalColumns, clock: { ProcessInfo.processInfo.systemUptime })
    }

    /// - Parameter clock: seconds from any origin.
    init(
        style: Style, resumedStep: Int, steps: Int, every: Int, write: @escaping (String) -> Void,
        columns: @escaping () -> Int,
        clock: @escaping () -> Double
    ) {
        precondition(every >= 1, "a line every \(every) steps")
        self.style = style
        firstStep = resumedStep
        self.steps = steps
        self.every = every
        self.write = write
        self.columns = columns
        self.clock = clock
        start = clock()
    }

    /// To be called after every step.
    public func update(_ state: State) {
        let now = clock()
        switch style {
        case .silent: return
        case .lines:
            if state.step % every == 0 || state.step == steps { write(text(state, now: now) + "\n") }
        case .bar:
            // Ten pictures a second are enough for an eye and cost nothing.
            guard now - drawn >= 0.1 || state.step == steps else { return }
            drawn = now
            let line = fit(text(state, now: now), share: Double(state.step) / Double(max(1, steps)))
            bar = line
            write("\r\u{1B}[2K" + line)
        }
    }

    /// A line of its own, above the bar.
    public func message(_ text: String) {
        guard style != .silent else { return }
        write((bar == nil ? "" : "\r\u{1B}[2K") + text + "\n" + (bar ?? ""))
    }

    /// Leaves the last bar standing and goes to a new line.
    public func finish() {
        if bar != nil { write("\n") }
        bar = nil
    }

    /// `step 120/600  loss 2.1340  P@1 31.2 %  512 samples/s  1:23 left`
    private func text(_ state: State, now: Double) -> String {
        let done = state.step - firstStep
        let left = done > 0 ? (now - start) / Double(done) * Double(max(0, steps - state.step)) : .nan
        return [
            "step \(state.step)/\(steps)", "loss \(Self.decimal(state.loss, 4))",
            "P@1 \(Self.decimal(100 * state.precisionAt1, 1)) %",
            "\(Self.decimal(state.samplesPerSecond, 0)) samples/s", "\(Self.duration(left)) left",
        ].joined(separator: "  ")
    }

    /// The line with a bar in front as wide as there is room for, cut to the terminal's width.
    private func fit(_ text: String, share: Double) -> String {
        let width = max(10, columns() - 1)
        let room = min(40, width - text.count - 2)
        guard room >= 5 else { return String(text.prefix(width)) }
        let filled = Int((Double(room) * min(1, max(0, share))).rounded(.down))
        return String(repeating: "━", count: filled) + String(repeating: "╌", count: room - filled) + "  " + text
    }

    static func decimal(_ value: Double, _ digits: Int) -> String {
        value.isFinite ? String(format: "%.\(digits)f", value) : "–"
    }

    /// `1:23`, `2:03:04`, or a dash for what is not known.
    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0, seconds < 1e9 else { return "–" }
        let whole = Int(seconds.rounded(.up))
        let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60)
        return hours > 0
            ? String(format: "%d:%02d:%02d", hours, minutes, rest) : String(format: "%d:%02d", minutes, rest)
    }

    /// Best effort: a run does not end because nobody can watch it.
    private static func writeToStandardError(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Foundation.write(STDERR_FILENO, $0.baseAddress, $0.count) }
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else { return }
            rest = rest.dropFirst(written)
        }
    }

    /// Width of the terminal behind standard error; 80 where there is none.
    private static func terminalColumns() -> Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }
}
