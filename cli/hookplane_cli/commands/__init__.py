"""One module a command of `hookplane`, each with a click command named `command`."""
