"""The shared core of Hookplane: what every part knows and no part owns.

Kinds, compile, config documents, signatures, providers, filters and retry are pure: data in, data
out. The only I/O in this package is behind `hookplane.store` and in `hookplane.manifests`.
"""
