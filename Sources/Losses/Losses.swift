// Losses: see docs/design.md.
