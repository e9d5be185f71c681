"""Endpoints, subscriptions and replays on their way into a gateway's store."""
