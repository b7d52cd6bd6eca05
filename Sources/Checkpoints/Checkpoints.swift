// Checkpoints: see docs/design.md.
