// How much memory this process has used. Not here: the machine's (Machine.swift).

import Foundation

/// The largest resident size of this process so far, all ranks that are its threads together; nil where the system does not tell.
func peakMemoryBytes() -> Int? {
    var usage = rusage()
    guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0, usage.ru_maxrss > 0 else { return nil }
    // Kibibytes on Linux.
    return Int(usage.ru_maxrss) * 1024
}
