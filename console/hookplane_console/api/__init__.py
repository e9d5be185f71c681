"""The admin API: one module a resource, each a table of routes over small handlers."""
