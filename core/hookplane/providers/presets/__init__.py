"""One provider a file: signature, handshake, key, type, answer and samples.

A file defines `PRESET`; `providers.registry` lists it.
"""
