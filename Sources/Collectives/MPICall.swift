// The one place where MPI's return codes become errors. Not here: what the calls are for.

private import CMPI

/// Throws MPI's own sentence when `code` is not success; `call` is MPI's name of the function.
func check(_ code: Int32, _ call: StaticString) throws(CollectiveError) {
    guard code != cmpi_success else { return }
    throw CollectiveError(.transport, "\(call): \(errorText(code))")
}

/// MPI's sentence for a return code.
func errorText(_ code: Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(cmpi_error_text_size)) { text in
        text.initialize(repeating: 0)
        guard let start = text.baseAddress else { return "error \(code)" }
        cmpi_error_text(code, start)
        return String(cString: start)
    }
}
