// Tables. Not here: what is in them.

/// Rows of text under a heading; numbers are given as text and set to the right.
public struct Table: Sendable {
    public var heads: [String]
    public var rows: [[String]]
    /// Said below: what the rows leave out.
    public var note: String?

    /// Rows shown at most; more are thinned evenly, the first and the last stay.
    static let maximumRows = 200

    public init(_ heads: [String], _ rows: [[String]], note: String? = nil) {
        (self.heads, self.rows, self.note) = (heads, rows, note)
    }

    /// The table in a box that scrolls by itself where it is too wide. The first column is text.
    public var markup: HTML {
        let thinned = rows.count > Self.maximumRows
        let shown =
            thinned
            ? (0..<Self.maximumRows).map { rows[$0 * (rows.count - 1) / (Self.maximumRows - 1)] } : rows
        let head = heads.map { "<th scope=\"col\">\($0)</th>" as HTML }
        let body = shown.map { row -> HTML in
            let cells = row.enumerated().map { index, cell -> HTML in
                index == 0 ? "<th scope=\"row\">\(cell)</th>" : "<td>\(cell)</td>"
            }
            return "<tr>\(cells)</tr>\n"
        }
        let thinning = thinned ? "\(Self.maximumRows) of \(NumberStyle.whole.text(Double(rows.count))) rows. " : ""
        let words = thinning + (note ?? "")
        let below: HTML = words.isEmpty ? "" : "<p class=\"note\">\(words)</p>"
        return """
            <div class="scroll" tabindex="0"><table><thead><tr>\(head)</tr></thead><tbody>
            \(body)</tbody></table></div>\(below)
            """
    }
}
