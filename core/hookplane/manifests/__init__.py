"""Reads manifest files: texts in, typed resources and Secrets out, with all problems in plain
words.

`files` finds and reads the files, `nodes` turns YAML or JSON into trees that know their lines,
`objects` makes a typed object of each tree, `explain` words what pydantic found, and `read` puts
everything together as `model.Manifests`. The operator uses `objects` alone, because it gets objects
and not files.

Nothing here raises because of what a manifest says: every mistake becomes a `Finding` with file,
line and field, and the other objects are read all the same. Sizes, depths and aliases are bounded,
so no file can use up memory. No message repeats the content of a Secret.
"""
