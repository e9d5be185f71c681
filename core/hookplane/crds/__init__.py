"""CustomResourceDefinitions and their reference, generated from the kinds. `python -m
hookplane.crds` writes them, `--check` names the files that drifted.
"""
