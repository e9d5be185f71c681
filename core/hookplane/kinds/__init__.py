"""The four kinds of `hookplane.dev/v1alpha1` as pydantic models: the one source for the CRDs, the
reference in docs/spec and what the parser accepts. No I/O and no knowledge of how a kind is served.
"""
