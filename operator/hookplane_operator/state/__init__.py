"""What the folders above share about a gateway: its runtime, the facts known of it, and what became
of each object. Nothing here talks to a cluster; the runtime holds the open store.
"""
