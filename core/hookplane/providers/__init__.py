"""What Hookplane knows of the services that send webhooks.

`registry` gives a preset by its name; `presets` holds one file for each provider with all that is
special to it: how requests are signed, which handshake it asks for, where the event's type and its
deduplication key stand, what it wants as an answer, and samples of its requests. Config documents
carry the names of extractors and handshakes, so those names never change their meaning.

Everything here is pure and never raises over what a request holds: a body that is not what it
should be has the type `unknown` and no key. Only names that nobody knows raise
InvalidValue. `extract`, `handshakes`, `sample_forms` and `schemes` are what presets are made of.
"""
