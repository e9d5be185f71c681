"""`hookplane secret-key`: a new line for a file of sealing keys."""

from __future__ import annotations

import click

from hookplane.sealing_keys import new_sealing_key


@click.command(name="secret-key")
def command() -> None:
    """Print a new sealing key, for HOOKPLANE_SEALING_KEYS_FILE.

    \b
    umask 077; hookplane secret-key > sealing.keys
    """
    click.echo(new_sealing_key(), nl=False)
