"""Measures Hookplane against bare bars on the same machine. `python -m benchmarks`."""
