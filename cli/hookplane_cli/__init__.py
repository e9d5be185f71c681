"""The `hookplane` program: the only package that knows all others.

`main` has the table of commands; each is a module of `commands`. Commands that serve are built by
`composition`: `hookplane run` by way of `all_in_one`, single processes by way of `process`. `local`
does what a cluster would do for manifests on this machine: watch and load files, keep generated
Secrets. `client` asks the admin API for the commands that show and change. `activity` is what
people read while webhooks flow, `sink` is a subscriber for trying out, `demo` the tour of `make
run`.
"""
