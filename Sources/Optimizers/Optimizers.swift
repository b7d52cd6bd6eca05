// Optimizers: see docs/design.md.
