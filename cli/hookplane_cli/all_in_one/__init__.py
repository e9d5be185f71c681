"""`hookplane run`: receiver, dispatcher and console in one process on SQLite, from manifests.

Settings come from the command line, manifests from files. The process opens the store, brings the
manifests into force, starts the parts, says where they are, and follows the files until a signal
comes. It refuses to start when the data folder is in use, when an address is taken, and when a
secret of the data folder cannot be read. A manifest that is wrong is reported, and what was in
force before stays in force.
"""
