// What a vision transformer's first block reads: patches behind a learned token, in their places. Not here: the patches (Patches.swift), pooling.
//
// Shapes: B pictures, P patches a picture, T = P (+ 1 with a class token) tokens, D columns.

public import Buffers
private import CVectorMath

/// `y_bt = z_bt + positions_t`, where z_b is the token, if there is one, and then x_b: x_(B·P)D, token_D, positions_TD, y_(B·T)D. Overwrites `y`.
public func patchTokensForward(_ x: Floats, token: Floats?, positions: Floats, columns: Int, into y: Floats) {
    let pictures = checkPatches(x, token, positions, columns, y)
    let (own, before) = (positions.count, token == nil ? 0 : columns)
    parallel(pictures, elements: 2 * y.count) { part in
        for picture in part {
            let (source, target) = (x.base + picture * (own - before), y.base + picture * own)
            if let token { fanoise_sum(token.base, positions.base, target, columns) }
            fanoise_sum(source, positions.base + before, target + before, own - before)
        }
    }
}

/// `dpositions += Σ_b dy_b`, `dtoken += Σ_b dy_b0` (accumulated), `dx`: the rows of dy that are patches (overwritten). Nil where it is not wanted;
/// sums in the order of the pictures, whatever the number of threads.
public func patchTokensBackward(
    _ dy: Floats, hasToken: Bool, columns: Int, tokens: Int, into dx: Floats?, dtoken: Floats?, dpositions: Floats?
) {
    let (own, before) = (tokens * columns, hasToken ? columns : 0)
    precondition(
        columns > 0 && tokens > 0 && dy.count % own == 0,
        "gradient of \(dy.count) for pictures of \(tokens) × \(columns)")
    let pictures = dy.count / own
    if let dpositions {
        check("gradient of positions", dpositions, holds: own)
        parallel(own, elements: dy.count) { part in
            let first = part.lowerBound
            fanoise_add_column_sums(dy.base + first, own, pictures, part.count, dpositions.base + first)
        }
    }
    if let dtoken {
        check("gradient of the token", dtoken, holds: columns)
        fanoise_add_column_sums(dy.base, own, pictures, columns, dtoken.base)
    }
    guard let dx else { return }
    check("gradient of patches", dx, holds: pictures * (own - before))
    parallel(pictures, elements: 2 * dx.count) { part in
        for picture in part {
            (dx.base + picture * (own - before)).update(from: dy.base + picture * own + before, count: own - before)
        }
    }
}

/// The number of pictures.
private func checkPatches(_ x: Floats, _ token: Floats?, _ positions: Floats, _ columns: Int, _ y: Floats) -> Int {
    let patches = positions.count - (token == nil ? 0 : columns)
    precondition(
        columns > 0 && patches > 0 && positions.count % columns == 0 && x.count % patches == 0,
        "\(x.count) elements are no pictures of \(patches) / \(columns) patches")
    if let token { check("token", token, holds: columns) }
    check("tokens", y, holds: x.count / patches * positions.count)
    return x.count / patches
}
