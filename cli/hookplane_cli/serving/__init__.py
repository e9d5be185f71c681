"""What all commands that serve have in common: the event loop, health, and retention."""
