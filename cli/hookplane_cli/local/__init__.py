"""Manifests in files, and what a cluster would do for them.

Used by `hookplane run` and `hookplane apply`. Files are read, compiled and written to the store;
generated Secrets and the sealing key are kept in a data folder. `follow` loads again when a file
changed or something is due. A broken file never takes anything out of force, and an object goes
only when two loads in a row do not find it. A load raises StoreUnavailable, SecretUnreadable or
OSError when it cannot be carried out; then nothing has changed.
"""
