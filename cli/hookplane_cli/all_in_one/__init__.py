"""`hookplane run`: receiver, dispatcher and console in one process on SQLite."""
