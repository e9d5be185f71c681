"""Config documents: what compile makes of the kinds, and all that the data plane ever reads.

Everything is resolved: secrets are values (sealed at rest), presets are axes, references are uids.
"""
