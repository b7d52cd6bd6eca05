// Training: see docs/design.md.
