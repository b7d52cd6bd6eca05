// How pages look: on a phone and on a wide screen, light and dark, on paper. Not here: their content.

enum Style {
    private static func colours(_ values: [String]) -> String {
        values.enumerated().map { "--s\($0):\($1);" }.joined()
    }

    /// The style sheet. Dark colours are for screens alone: paper is white.
    static var sheet: HTML { HTML([HTML(stringLiteral: text)]) }

    private static let text = """
        :root{--page:#fff;--card:#fff;--ink:#1c232b;--soft:#56616d;--line:#dfe3e8;--grid:#e8ebef;--zone:#56606b26;--link:#0059a0;\
        --good:#00704f;--warning:#a63d00;--right:#00805e;\(colours(Palette.light))}
        @media screen{:root{--page:#f6f7f9}}
        @media screen and (prefers-color-scheme:dark){:root{color-scheme:dark;--page:#12161b;--card:#1b2127;--ink:#e7ebef;--soft:#a5b0bb;\
        --line:#313a43;--grid:#2a323a;--zone:#a7b3bf2e;--link:#7fc1ff;--good:#4fd3a4;--warning:#ffad70;--right:#45cfa2;\(colours(Palette.dark))}}
        *{box-sizing:border-box}
        html{-webkit-text-size-adjust:100%}
        body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif}
        header,main{max-width:1360px;margin:0 auto;padding:0 12px}
        header{padding-top:24px}
        h1{font-size:1.7rem;line-height:1.2;margin:0 0 4px;overflow-wrap:anywhere}
        header p{margin:0;color:var(--soft);overflow-wrap:anywhere}
        h2,h3,summary{overflow-wrap:anywhere}h2{font-size:1.25rem;line-height:1.3;margin:40px 0 12px;padding-top:16px;border-top:1px solid var(--line)}
        h3{font-size:1rem;line-height:1.35;margin:0}
        p{margin:8px 0;max-width:75ch;overflow-wrap:anywhere}
        a{color:var(--link)}
        nav{display:flex;flex-wrap:wrap;gap:4px 16px;margin-top:12px;font-size:.93rem}
        nav a{padding:4px 0;min-width:0;overflow-wrap:anywhere}
        .figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,400px),1fr));gap:16px;margin:12px 0}
        figure{margin:0;padding:12px 12px 6px;background:var(--card);border:1px solid var(--line);border-radius:8px;min-width:0;\
        display:flex;flex-direction:column}
        figure>details{margin-top:auto}
        figcaption p{font-size:.86rem;line-height:1.4;color:var(--soft);margin:2px 0 0}
        .legend{list-style:none;display:flex;flex-wrap:wrap;gap:2px 14px;margin:8px 0 0;padding:0;font-size:.83rem;color:var(--soft)}
        .legend li{display:inline-flex;align-items:center;gap:6px;min-width:0;overflow-wrap:anywhere}
        .key{width:24px;height:12px;flex:none;margin:0}
        svg{display:block;width:100%;height:auto;margin-top:8px;overflow:hidden}
        svg text{font-family:inherit;font-variant-numeric:tabular-nums}
        .tick,.label{paint-order:stroke;stroke:var(--card);stroke-width:3px;stroke-linejoin:round}.tick{font-size:11px;fill:var(--soft)}
        .label{font-size:12px;fill:var(--ink)}
        .note{font-size:11px;fill:var(--soft);paint-order:stroke;stroke:var(--card);stroke-width:3px;stroke-linejoin:round}
        p.note{font-size:.83rem;color:var(--soft)}
        .inside{font-size:11px;fill:var(--card)}
        .grid{stroke:var(--grid);stroke-width:1}
        .axis{stroke:var(--soft);stroke-width:1}
        .mark{stroke:var(--ink);stroke-width:1.2;stroke-dasharray:4 3}
        .zone{fill:var(--zone)}
        .curve{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
        .broken{stroke-width:1.6;stroke-dasharray:5 3}
        .thin{stroke-width:1.2}
        .band{opacity:.18}
        .bar{fill:none;stroke-width:1.6}
        .dot{stroke:var(--card);stroke-width:1}
        .faint{opacity:.45}
        .part{stroke:var(--card);stroke-width:1.5}
        details{margin:8px 0}
        summary{cursor:pointer;color:var(--link);font-size:.86rem;padding:4px 0}
        .scroll{overflow-x:auto;max-height:26rem;overflow-y:auto}
        table{border-collapse:collapse;font-size:.83rem;font-variant-numeric:tabular-nums}
        th,td{padding:3px 12px 3px 0;text-align:right;border-bottom:1px solid var(--grid);vertical-align:top;white-space:nowrap}
        th:first-child{text-align:left;font-weight:500}
        thead th{color:var(--soft);font-weight:600;position:sticky;top:0;background:var(--page)}
        figure thead th{background:var(--card)}
        .remarks{list-style:none;margin:8px 0;padding:0;display:grid;gap:6px;max-width:90ch}
        .remarks li{padding:2px 0 2px 12px;border-left:4px solid var(--line);overflow-wrap:anywhere}
        .remarks .is-good{border-color:var(--good)}
        .remarks .is-bad,.remarks .is-warning{border-color:var(--warning)}
        .remarks .is-warning::before{content:"Warning: ";font-weight:600;color:var(--warning)}
        pre{margin:8px 0;font-size:.86rem;white-space:pre-wrap;overflow-wrap:anywhere}
        .facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(140px,1fr));gap:10px;margin:12px 0;padding:0}
        .facts div{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 14px;min-width:0}
        .facts dt{font-size:.83rem;color:var(--soft)}
        .facts dd{margin:0;font-size:1.3rem;font-weight:600;overflow-wrap:anywhere}
        .facts small{display:block;font-size:.83rem;font-weight:400;color:var(--soft)}
        .examples{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,400px),1fr));gap:12px;margin:12px 0}
        .example{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px 14px;min-width:0;break-inside:avoid}
        .example p{margin:0 0 8px;font-weight:600}
        .example small{color:var(--soft);font-weight:400}
        .example img{width:56px;height:56px;object-fit:contain;background:#fff;border-radius:4px;display:block}
        .example ol{list-style:none;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:8px;font-size:.9rem}
        .example ol.texts{flex-direction:column;gap:2px}
        .example li{overflow-wrap:anywhere}
        .example ol:not(.texts) li{border:3px solid var(--line);border-radius:8px;padding:2px;font-size:.75rem;text-align:center;color:var(--soft);max-width:100%}
        .example ol:not(.texts) li.right{border-color:var(--right)}
        .example ol.texts li.right{color:var(--right);font-weight:600}
        .example .score{color:var(--soft);font-weight:400;font-variant-numeric:tabular-nums}
        @media (min-width:900px){header,main{padding-left:24px;padding-right:24px}.wide{grid-column:span 2}}
        @media print{body{font-size:11pt}nav,summary{display:none}.figures{grid-template-columns:1fr 1fr}figure{break-inside:avoid}h2{break-after:avoid}}
        """
}
