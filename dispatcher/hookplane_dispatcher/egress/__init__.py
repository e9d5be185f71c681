"""The only way out: every request that leaves goes through an `EgressClient`."""
