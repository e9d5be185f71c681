"""Secrets and Services that users' objects refer to.

Each one in use is read when it is first asked for and again in turns, unless a watch tells of it.
What cannot be read now is not taken for gone.
"""
