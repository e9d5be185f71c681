"""A local subscriber: checks signatures, answers as told, prints what came."""
