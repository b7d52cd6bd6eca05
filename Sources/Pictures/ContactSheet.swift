// A table of captions and pictures as one picture, for reports. Not here: what the rows mean, reading pictures.

/// Rows of a caption and some pictures, each picture framed by whether it is right, under a title and above a footer.
public struct ContactSheet: Sendable {
    /// What the frame of a picture says.
    public enum Mark: Sendable {
        /// Green.
        case right
        /// Grey.
        case wrong
        /// No frame.
        case unmarked
    }

    /// One framed picture.
    public struct Cell: Sendable {
        public var picture: Picture
        public var mark: Mark

        public init(_ picture: Picture, _ mark: Mark = .unmarked) {
            self.picture = picture
            self.mark = mark
        }
    }

    /// One line of the table.
    public struct Row: Sendable {
        /// Truncated with an ellipsis where it does not fit.
        public var caption: String
        /// A second, smaller line below the caption; may be empty.
        public var detail: String
        public var cells: [Cell]

        public init(caption: String, detail: String = "", cells: [Cell]) {
            self.caption = caption
            self.detail = detail
            self.cells = cells
        }
    }

    public var title: String
    /// A smaller line at the bottom: where the rows come from, what the frames mean; may be empty.
    public var footer: String
    /// Small headings over the columns of pictures; missing ones stay empty.
    public var headings: [String]
    public var rows: [Row]
    /// Side of each picture in pixels; pictures of other shapes are fitted into the square.
    public var pictureSide = 72
    /// Width of the caption column in pixels.
    public var captionWidth = 300
    /// Font files to write with, in order of preference; empty: common installed fonts.
    public var fonts: [String] = []

    public init(title: String, footer: String = "", headings: [String] = [], rows: [Row]) {
        self.title = title
        self.footer = footer
        self.headings = headings
        self.rows = rows
    }

    private static let margin = 32
    private static let frame = 4
    private static let gap = 12
    private static let ink = Colour(0x1E2430)
    private static let softInk = Colour(0x6B7280)
    private static let paper = Colour(0xFFFFFF)
    private static let line = Colour(0xE8EAED)
    private static let green = Colour(0x22A45D)
    private static let grey = Colour(0xD3D7DD)

    private var columns: Int { rows.map(\.cells.count).max() ?? 0 }
    private var cellSide: Int { pictureSide + 2 * Self.frame }
    private var rowHeight: Int { cellSide + Self.gap }
    private var firstRow: Int { Self.margin + (title.isEmpty ? 0 : 44) + (headings.isEmpty ? 0 : 24) }
    private var firstColumn: Int { Self.margin + captionWidth + 20 }

    /// Draws the sheet.
    ///
    /// `captionWidth + columns · (pictureSide + 20) + 72` pixels wide (more for a long title); `pictureSide + 20` pixels
    /// per row high, plus title and footer.
    /// - Throws: `Failure(.inputMissing)` if no font can be found.
    public func picture() throws -> Picture {
        precondition(
            pictureSide > 0 && captionWidth > 0, "pictures of \(pictureSide), captions of \(captionWidth) pixels")
        let text = try TextLine(fonts: fonts)
        let smallest = text.width(of: title, size: 22).rounded(.up)
        let width = max(
            firstColumn + columns * (cellSide + Self.gap) - Self.gap, Self.margin + Int(min(smallest, 1200)))
        let height = firstRow + rows.count * rowHeight + (footer.isEmpty ? 0 : 34) + Self.margin - Self.gap
        var sheet = Picture(width: width + Self.margin, height: max(height, 2 * Self.margin))
        let room = Double(width - Self.margin)
        text.draw(
            text.truncated(title, size: 22, width: room), on: &sheet, x: Double(Self.margin),
            baseline: Self.margin + 20,
            size: 22, colour: Self.ink)
        drawHeadings(on: &sheet, text)
        for (index, row) in rows.enumerated() { draw(row, top: firstRow + index * rowHeight, on: &sheet, text) }
        text.draw(
            text.truncated(footer, size: 13, width: room), on: &sheet, x: Double(Self.margin),
            baseline: sheet.height - Self.margin + 8, size: 13, colour: Self.softInk)
        return sheet
    }

    private func drawHeadings(on sheet: inout Picture, _ text: TextLine) {
        for (column, heading) in headings.prefix(columns).enumerated() {
            let fitted = text.truncated(heading, size: 12, width: Double(cellSide + Self.gap - 4))
            let inset = (Double(cellSide) - text.width(of: fitted, size: 12)) / 2
            let x = Double(firstColumn + column * (cellSide + Self.gap)) + inset
            text.draw(fitted, on: &sheet, x: x, baseline: firstRow - 12, size: 12, colour: Self.softInk)
        }
    }

    private func draw(_ row: Row, top: Int, on sheet: inout Picture, _ text: TextLine) {
        let rule = Box(x: Self.margin, y: top - Self.gap / 2, width: sheet.width - 2 * Self.margin, height: 1)
        sheet.fill(rule, Self.line)
        let middle = top + cellSide / 2
        text.draw(
            text.truncated(row.caption, size: 16, width: Double(captionWidth)), on: &sheet, x: Double(Self.margin),
            baseline: row.detail.isEmpty ? middle + 6 : middle - 3, size: 16, colour: Self.ink)
        text.draw(
            text.truncated(row.detail, size: 12, width: Double(captionWidth)), on: &sheet, x: Double(Self.margin),
            baseline: middle + 16, size: 12, colour: Self.softInk)
        for (column, cell) in row.cells.enumerated() {
            draw(
                cell,
                in: Box(x: firstColumn + column * (cellSide + Self.gap), y: top, width: cellSide, height: cellSide),
                on: &sheet)
        }
    }

    private func draw(_ cell: Cell, in box: Box, on sheet: inout Picture) {
        switch cell.mark {
        case .right: sheet.fill(box, Self.green, radius: 9)
        case .wrong: sheet.fill(box, Self.grey, radius: 9)
        case .unmarked: break
        }
        let inner = box.inset(by: Self.frame - 1)
        sheet.fill(inner, Self.paper, radius: 6)
        let side = pictureSide - 4
        let square = cell.picture.squared(side)
        sheet.draw(square, x: box.x + (box.width - side) / 2, y: box.y + (box.height - side) / 2)
    }
}
