"""What every command that serves has in common."""
