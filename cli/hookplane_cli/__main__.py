"""`python -m hookplane_cli`: the same as `hookplane`."""

from hookplane_cli.main import main

main()
