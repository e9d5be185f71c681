"""Reading the store for all subscriptions together: event logs and contents of events."""
