// ArrayFiles: see docs/design.md.
