"""From users' objects to configuration in a gateway's store.

A round takes what is dirty of a gateway, reads the Secrets and Services that it refers to,
compiles it, makes the Secrets that are to be generated, and writes what differs. A sweep removes
the rows of objects that are gone, after full lists of every kind said so; many of one namespace
that nobody was seen deleting wait until somebody confirms it. An object that fails to compile
leaves what is in force of it as it is. When the store or the API server fails, what was dirty
stays so.
"""
