"""Config documents: what compile makes of the kinds, and all that the data plane ever reads.

Everything in them is resolved: a reference is a uid, a preset is its settings, a duration is a
number of milliseconds, and a Secret is its value. Values of Secrets are sealed whenever a document
is written, bound to their object, their field and the rest of the document, so a database shows
none and none can be moved. A document that a process cannot read is refused and the older one stays
in force; unknown fields are refused too, because ignoring one might leave a check out.
"""
