"""Objects that others refer to, read by `get` alone: the right to list them is not needed."""
