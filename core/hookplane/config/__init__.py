"""Config documents: what compile makes of the kinds, and all that the data plane ever reads.

Everything in them is resolved: a reference is a uid, a preset is its settings, a duration is a
number of milliseconds, and a Secret is its value. Values of Secrets are sealed whenever a document
is written, bound to the uid of their object, so a database shows none and none can be moved to
another object. A document that a process cannot read is refused and the older one stays in force;
unknown fields are refused too, because ignoring one might leave a check out.
"""
