// Autograd: see docs/design.md.
