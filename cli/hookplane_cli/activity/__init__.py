"""What `hookplane run` prints while webhooks flow: lines for people or JSON for machines."""
