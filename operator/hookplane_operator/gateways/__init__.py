"""A gateway: its children, keys and database."""
