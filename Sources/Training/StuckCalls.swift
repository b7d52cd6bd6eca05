// Which files the threads of this process wait for, by the kernel's own account. Not here: when to ask (Watchdog).

import Foundation

/// System calls on files that threads of this process are in at the moment.
enum StuckCalls {
    private enum Argument { case descriptor(at: Int), path(at: Int) }

    /// Calls that can wait for a file, by number (`asm/unistd_64.h`, `asm-generic/unistd.h`).
    #if arch(x86_64)
        private static let calls: [Int: (name: String, file: Argument)] = [
            0: ("read", .descriptor(at: 0)), 1: ("write", .descriptor(at: 0)), 2: ("open", .path(at: 0)),
            4: ("stat", .path(at: 0)), 17: ("pread", .descriptor(at: 0)), 18: ("pwrite", .descriptor(at: 0)),
            74: ("fsync", .descriptor(at: 0)), 75: ("fdatasync", .descriptor(at: 0)), 82: ("rename", .path(at: 0)),
            257: ("open", .path(at: 1)), 262: ("stat", .path(at: 1)), 332: ("stat", .path(at: 1)),
        ]
    #else
        private static let calls: [Int: (name: String, file: Argument)] = [
            56: ("open", .path(at: 1)), 63: ("read", .descriptor(at: 0)), 64: ("write", .descriptor(at: 0)),
            67: ("pread", .descriptor(at: 0)), 68: ("pwrite", .descriptor(at: 0)), 79: ("stat", .path(at: 1)),
            82: ("fsync", .descriptor(at: 0)), 83: ("fdatasync", .descriptor(at: 0)), 291: ("stat", .path(at: 1)),
        ]
    #endif

    /// `open of images/7.png`, one for each; empty where the kernel does not tell.
    static var descriptions: [String] {
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
        return Array(Set(threads.compactMap(description))).sorted()
    }

    private static func description(ofThread thread: String) -> String? {
        guard let data = FileManager.default.contents(atPath: "/proc/self/task/\(thread)/syscall") else { return nil }
        let words = String(decoding: data, as: UTF8.self).split(separator: " ")
        guard words.count > 6, let number = Int(words[0]), let call = calls[number] else { return nil }
        let argument = { (index: Int) in UInt64(words[index + 1].dropFirst(2), radix: 16) ?? 0 }
        switch call.file {
        case .descriptor(let index):
            // Descriptors are 32 bits of the register.
            let descriptor = UInt32(truncatingIfNeeded: argument(index))
            guard descriptor > 2,
                let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)"),
                path.hasPrefix("/"), !path.hasPrefix("/proc/"), !path.hasPrefix("/dev/")
            else { return nil }
            return "\(call.name) of \(path)"
        case .path(let index):
            guard let path = text(at: argument(index)), !path.hasPrefix("/proc/") else { return nil }
            return "\(call.name) of \(path)"
        }
    }

    /// The C string at an address of this process, if there is one: read by the kernel, which checks the address.
    static func text(at address: UInt64) -> String? {
        let memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC)
        guard memory >= 0 else { return nil }
        defer { close(memory) }
        var text: [UInt8] = []
        while text.count < 1024 {
            // Page by page: behind the end of one, memory may end too.
            let place = address &+ UInt64(text.count)
            var page = [UInt8](repeating: 0, count: 4096 - Int(place % 4096))
            let count = pread(memory, &page, page.count, off_t(truncatingIfNeeded: place))
            guard count > 0 else { return nil }
            if let end = page[..<count].firstIndex(of: 0) {
                text += page[..<end]
                return text.isEmpty ? nil : String(decoding: text, as: UTF8.self)
            }
            text += page[..<count]
        }
        return nil
    }
}
