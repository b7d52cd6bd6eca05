// Pictures: see docs/design.md.
