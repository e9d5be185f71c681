"""A receiver, dispatcher or console as a process of its own on PostgreSQL."""
