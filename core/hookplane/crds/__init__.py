"""CustomResourceDefinitions and the reference in docs/spec, generated from the kinds.

`schema` turns a model into a structural schema, `definition` a kind into its CRD, `reference` a
kind into a page of markdown, and `files` says which files there are and whether they are up to
date. `python -m hookplane.crds` writes them; with `--check` it names those that drifted. A model
that the API server could not express raises UnsupportedSchema, so it is noticed here and not in a
cluster.
"""
