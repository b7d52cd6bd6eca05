// A page that needs nothing but itself: sections of words, figures and tables, one file without scripts or network.
// Not here: the style sheet (Style.swift), what pages say.

public import Foundation

/// One self-contained HTML document.
public struct Page: Sendable {
    /// Parts of a section in their order.
    public enum Item: Sendable {
        case words(String)
        case list([Remark])
        case figures([Figure])
        case table(Table, summary: String?)
        case markup(HTML)
    }

    /// A sentence and what it comes to; a warning says so in words, too.
    public struct Remark: Sendable, Equatable {
        public enum Weight: String, Sendable, Equatable { case note, good, bad, warning }
        public var weight: Weight
        public var words: String

        public init(_ weight: Weight, _ words: String) { (self.weight, self.words) = (weight, words) }
    }

    struct Section: Sendable {
        let heading: String
        let items: [Item]
    }

    public var title: String
    /// Below the title: what the page is about in one line.
    public var subtitle: String
    private var sections: [Section] = []

    public init(title: String, subtitle: String) { (self.title, self.subtitle) = (title, subtitle) }

    /// Adds a section; one without content is left out.
    public mutating func add(_ heading: String, _ items: [Item]) {
        let shown = items.filter { item in
            switch item {
            case .words(let words): !words.isEmpty
            case .list(let remarks): !remarks.isEmpty
            case .figures(let figures): !figures.isEmpty
            case .table(let table, _): !table.rows.isEmpty
            case .markup(let markup): !markup.text.isEmpty
            }
        }
        if !shown.isEmpty { sections.append(Section(heading: heading, items: shown)) }
    }

    /// The document.
    public var html: String {
        let links = sections.enumerated().map { index, section -> HTML in
            "<a href=\"#s\(index + 1)\">\(section.heading)</a>\n"
        }
        let body = sections.enumerated().map { index, section -> HTML in
            "<section id=\"s\(index + 1)\"><h2>\(section.heading)</h2>\n\(section.items.map(Self.markup))</section>\n"
        }
        let navigation: HTML = sections.count > 1 ? "<nav aria-label=\"Sections\">\(links)</nav>" : ""
        let page: HTML = """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
            <link rel="icon" href="data:,"><title>\(title)</title>
            <style>\(Style.sheet)</style></head>
            <body><header><h1>\(title)</h1><p>\(subtitle)</p>\(navigation)</header>
            <main>
            \(body)</main></body></html>

            """
        return page.text
    }

    /// Writes the document, whole or not at all.
    public func write(to path: String, _ write: (Data, String) throws -> Void) rethrows {
        try write(Data(html.utf8), path)
    }

    private static func markup(_ item: Item) -> HTML {
        switch item {
        case .words(let words): return "<p>\(words)</p>\n"
        case .list(let remarks):
            let lines = remarks.map { "<li class=\"is-\($0.weight.rawValue)\">\($0.words)</li>\n" as HTML }
            return "<ul class=\"remarks\">\(lines)</ul>\n"
        case .figures(let figures): return "<div class=\"figures\">\(figures.map(\.markup))</div>\n"
        case .table(let table, let summary):
            guard let summary else { return "\(table.markup)\n" }
            return "<details><summary>\(summary)</summary>\(table.markup)</details>\n"
        case .markup(let markup): return markup
        }
    }
}
