"""Files → typed resources, with problems in people's words. No other package reads manifests."""
