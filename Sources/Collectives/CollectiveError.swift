// How a collective fails. Not here: who prints it and ends the job (World.swift).

/// A collective that could not be completed, in one sentence.
public struct CollectiveError: Error, CustomStringConvertible, Sendable {
    public enum Kind: Sendable {
        /// Some rank did not arrive in time.
        case deadline
        /// Some rank failed or ended, so that the collective can never complete.
        case lostPeer
        /// The ranks called different collectives: a fault of the program.
        case disagreement
        /// MPI reported an error.
        case transport
    }

    public let kind: Kind
    /// Which collective, at which step, and which ranks; without prefix or final newline.
    public let message: String

    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    /// 75 (resumable) for `deadline` and `lostPeer`, 70 (internal) otherwise.
    public var exitCode: Int32 {
        switch kind {
        case .deadline, .lostPeer: 75
        case .disagreement, .transport: 70
        }
    }

    public var description: String { message }
}
