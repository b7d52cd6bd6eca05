// Bounds of options that count something, and of those that are paths. Not here: the options.

import ArgumentParser
import Failures

/// More of anything than a machine holds, and so few that sums of such numbers are numbers.
let largestCount = 1 << 30

/// - Throws: `ValidationError` naming the option when its number is not from 1 to `most`.
func requireCount(_ option: String, _ value: Int, atMost most: Int = largestCount) throws {
    guard (1...most).contains(value) else {
        throw ValidationError("\(option) \(value) must be from 1 to \(most)")
    }
}

/// Options whose texts may be empty; the others' texts are paths and names.
private let textOptions: Set<Substring> = ["--text", "--title", "--drawings", "--languages"]

/// - Throws: `Failure(.usage)` naming the option when a path is empty, as `--output "$UNSET"` makes it.
func requireNoEmptyPaths(_ arguments: some Collection<String>) throws {
    var before: Substring = ""
    for argument in arguments {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let isAssigned = argument.hasPrefix("--") && parts.count == 2
        let option = isAssigned ? parts[0] : before
        if argument.isEmpty || isAssigned && parts[1].isEmpty, !textOptions.contains(option) {
            let name = option.hasPrefix("-") ? String(option) : "an argument"
            throw Failure(.usage, "\(name) is empty; give a path or a name, or leave it out")
        }
        before = argument[...]
    }
}
