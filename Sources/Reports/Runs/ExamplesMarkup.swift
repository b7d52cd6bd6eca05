// Retrieved examples as markup. Not here: reading pictures, which the caller does.

public import Foundation

/// A PNG of at most a few kilobytes of a picture that an example names; nil when it cannot be read any more.
public typealias Thumbnail = (RetrievedExample.Content) -> Data?

extension ExampleSet {
    /// A card for each question.
    func markup(_ thumbnail: Thumbnail) -> HTML {
        "<div class=\"examples\">\(examples.map { Self.card($0, thumbnail) })</div>\n"
    }

    private static func card(_ example: RetrievedExample, _ thumbnail: Thumbnail) -> HTML {
        let verdict =
            example.place == 1
            ? "found first" : "its answer is number \(NumberStyle.whole.text(Double(example.place)))"
        let among = " among \(NumberStyle.whole.text(Double(example.candidates)))"
        let arePictures = example.results.contains { if case .picture = $0.content { true } else { false } }
        let results = example.results.map { result -> HTML in
            let score = String(format: "%.2f", result.score)
            let mark = result.isRight ? "✓ " : ""
            return """
                <li\(result.isRight ? " class=\"right\"" as HTML : "")>\(content(result.content, thumbnail)) \
                <span class="score">\(mark)\(score)</span></li>
                """
        }
        return """
            <div class="example"><p>\(content(example.question, thumbnail)) <small>\(verdict + among)</small></p>\
            <ol\(arePictures ? "" : " class=\"texts\"" as HTML)>\(results)</ol></div>

            """
    }

    private static func content(_ content: RetrievedExample.Content, _ thumbnail: Thumbnail) -> HTML {
        switch content {
        case .text(let text): return "\(text)"
        case .picture(let path, let name, _, _):
            guard let data = thumbnail(content) else { return "<small>\(name) (not there any more)</small>" }
            return """
                <img alt="\(name)" title="\(path)" src="data:image/png;base64,\(data.base64EncodedString())">
                """
        }
    }
}
