"""`python -m hookplane.crds [--check]`, in the root of the repository."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hookplane.crds.files import drifted, write


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 when `--check` found files that drifted."""
    parser = argparse.ArgumentParser(prog="python -m hookplane.crds", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name what drifted")
    check = parser.parse_args(arguments).check
    root = Path.cwd()
    stale = drifted(root) if check else write(root)
    for path in stale:
        print(f"{'drifted' if check else 'written'}: {path.relative_to(root)}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
