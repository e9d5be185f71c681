"""The four kinds of `hookplane.dev/v1alpha1` as pydantic models.

They are the one source for the CRDs, for the reference in docs/spec, and for what manifests are
parsed into, so that the API server and the laptop accept the same. Each kind has one file with its
spec and its status; the docstrings of models and fields become the reference. `base` and `status`
hold what several kinds share, `conditions` every condition and reason, and `registry` the table of
all that differs between kinds.

A rule that joins several fields is written twice, side by side: as CEL for the API server (`RULES`)
and in Python (`model_post_init`); tests compare the two. Nothing here does I/O or knows how a kind
is served. A model that does not fit raises pydantic.ValidationError.
"""
