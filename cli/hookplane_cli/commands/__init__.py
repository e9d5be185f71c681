"""One module for each command, with a click command named `command`.

A command parses its options, calls what does the work, and prints the result; errors become a
click.ClickException, which ends the program with exit code 1. A new command is a module here and a
line in the table of `hookplane_cli.main`, which imports a module only when its command is used.
"""
