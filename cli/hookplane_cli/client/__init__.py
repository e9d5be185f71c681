"""The client side of the commands: where the admin API is, asking it, showing answers."""
