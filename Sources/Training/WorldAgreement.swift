// What the ranks compare before anything is loaded: the program and how they are laid out. Not here: configuration and data (Trainer),
// parameters (ParameterAgreement.swift).

import Collectives
import Kernels

/// This program.
public enum Program {
    public static let version = "0.1.0"
}

/// One rank's part of the world, as the others should have it too.
struct RankLayout: Equatable {
    var ranksOnHost: Int
    var threads: Int
}

/// Throws when the ranks run different versions; says what is uneven about their layout. *Collective.*
///
/// - Returns: a sentence where ranks differ in how many share their host or in their threads: the result is the same, but every step
///   takes as long as the slowest rank. Nil where they are alike.
/// - Throws: `Failure(.configuration)` naming the first rank whose version is another than rank 0's.
func agreeOnWorld(
    version: String = Program.version, threads: Int = blasThreads(), communicator: any Communicator
) throws -> String? {
    try communicator.requireAgreement(
        on: version, what: "version of the program", remedy: "install one version on all hosts")
    let hosts = try communicator.allGather(communicator.ranksOnThisHost)
    let threads = try communicator.allGather(threads)
    let layouts = zip(hosts, threads).map { RankLayout(ranksOnHost: $0, threads: $1) }
    guard layouts.contains(where: { $0 != layouts[0] }) else { return nil }
    func listed(_ values: [Int]) -> String {
        values.prefix(16).map(String.init).joined(separator: ", ") + (values.count > 16 ? ", …" : "")
    }
    return
        "the ranks are laid out unevenly, and each step waits for the slowest: ranks on their host \(listed(hosts)); threads "
        + listed(threads)
}
