"""The shared core of Hookplane: what every part knows and no part owns.

The way of a webhook endpoint or subscription through it:

- `kinds` are the models of what users write; `crds` generates CRDs and reference pages from them.
- `manifests` reads files into these models, or says what is wrong with them and in which line.
- `compile` turns models and Secrets into documents of `config`, which are all that the data plane
  ever reads; `providers` and `signatures` hold what it has to know about senders.
- `applied_config` writes what changed to the `store`, which keeps documents, events and deliveries;
  `process` is how several processes share it and follow the configuration.
- `filters` and `retry` decide what is sent and when; `reporting` is what people hear about it.

`network` and `pacing` hold what several parts need and nobody should write twice: addresses,
certificates and headers, and the limits, pauses and waits of the event loop.

Kinds, compile, config, signatures, providers, filters and retry are pure: data in, data out, the
same on a laptop and in a cluster. Files are read only in `manifests` and `sealing_keys`, and only
`store` talks to a database. Time, randomness and ids are arguments everywhere.
"""
