"""What there is in the cluster: lists, watches, and what is known from them."""
