"""The tour of `make run`: everything on one machine, with sample events.

It starts `hookplane run` as a child process and a sink beside it, sends samples through the admin
API, says what happens, and ends both at Ctrl-C.
"""
