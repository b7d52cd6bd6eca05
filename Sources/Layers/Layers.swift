// Layers: see docs/design.md.
