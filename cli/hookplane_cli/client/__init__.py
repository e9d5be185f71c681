"""What the client commands share: where the admin API is, asking it, showing what it answers.

The address comes from an option or from the `run.json` that `hookplane run` leaves in its data
folder. Whatever goes wrong becomes a click.ClickException with a message for people.
"""
