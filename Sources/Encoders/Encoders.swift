// Encoders: see docs/design.md.
