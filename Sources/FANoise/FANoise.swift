// FANoise: see docs/design.md.
