"""The `hookplane` program: the only package that knows all others."""
