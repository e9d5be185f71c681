"""The operator: makes gateways in a cluster, and brings users' objects into their stores.

In come lists and watches of the cluster (`watch`). What is seen is kept in one cache
(`kube.objects`), and becomes keys of a queue (`routing`). The leader works on the keys (`work`):
it opens the stores of gateways and applies their pods (`gateways`), compiles what users want and
writes it (`config`), and reports how things are (`status`). Out go configuration in stores,
children of gateways, generated Secrets, statuses and Events.

Promised: only the leader writes, to the cluster by its Lease (`election`) and to each store by
the fence of its writer. Nothing is removed because something could not be seen. Whatever fails is
tried again, and stops nothing else.
"""
