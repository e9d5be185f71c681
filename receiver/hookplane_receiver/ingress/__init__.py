"""HTTP towards senders: an `IngressServer` takes requests off the wire, a handler answers."""
