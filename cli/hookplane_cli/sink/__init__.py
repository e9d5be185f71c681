"""A subscriber for trying out: checks signatures, answers as it was told, prints what came.

It follows the Standard Webhooks specification with code of its own, so it also proves that what the
dispatcher sends can be verified by others.
"""
