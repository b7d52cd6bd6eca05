// Bounds of options that count something. Not here: the options.

import ArgumentParser

/// More of anything than a machine holds, and so few that sums of such numbers are numbers.
let largestCount = 1 << 30

/// - Throws: `ValidationError` naming the option when its number is not from 1 to `largestCount`.
func requireCount(_ option: String, _ value: Int) throws {
    guard (1...largestCount).contains(value) else {
        throw ValidationError("\(option) \(value) must be from 1 to \(largestCount)")
    }
}
