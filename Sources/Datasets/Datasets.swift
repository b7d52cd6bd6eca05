// Datasets: see docs/design.md.
