"""The tour of `make run`: everything on one machine, with sample events."""
