"""Presets as data, and the odd ones as small pure functions: extractors, handshakes, samples."""
