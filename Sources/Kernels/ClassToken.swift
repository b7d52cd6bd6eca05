// A learned token in front of every picture's patches. Not here: the patches (Patches.swift), pooling.
//
// Shapes: B pictures, P patches a picture, D columns.

public import Buffers

/// `y_b0 = token`, `y_b(1+p) = x_bp`: x_(B·P)D, token_D, y_(B·(P+1))D. Overwrites `y`.
public func prependTokenForward(_ x: Floats, token: Floats, pictures: Int, patches: Int, columns: Int, into y: Floats) {
    precondition(
        x.count == pictures * patches * columns && token.count == columns
            && y.count == pictures * (patches + 1) * columns,
        "\(x.count) elements and a token of \(token.count) for \(pictures) pictures of \(patches) patches × \(columns) into \(y.count)"
    )
    for picture in 0..<pictures {
        let target = y.base + picture * (patches + 1) * columns
        target.update(from: token.base, count: columns)
        (target + columns).update(from: x.base + picture * patches * columns, count: patches * columns)
    }
}

/// `dx_bp = dy_b(1+p)` (overwritten), `dtoken += Σ_b dy_b0` (accumulated).
public func prependTokenBackward(
    _ dy: Floats, pictures: Int, patches: Int, columns: Int, into dx: Floats, dtoken: Floats?
) {
    precondition(
        dx.count == pictures * patches * columns && dy.count == pictures * (patches + 1) * columns,
        "gradient of \(dy.count) for \(pictures) pictures of \(patches) patches × \(columns) into \(dx.count)")
    for picture in 0..<pictures {
        let source = dy.base + picture * (patches + 1) * columns
        if let dtoken { for column in 0..<columns { dtoken.base[column] += source[column] } }
        (dx.base + picture * patches * columns).update(from: source + columns, count: patches * columns)
    }
}
