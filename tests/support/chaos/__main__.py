"""Breaks everything around the operator and compares what comes of it with what is promised:
`make operator-chaos MINUTES=60 SEED=1`."""

from __future__ import annotations

import logging
import signal
import sys
import tempfile
from pathlib import Path

import click

from support.chaos.actions import ACTIONS, NETWORK
from support.chaos.scenario import Course, Scenario
from support.chaos.world import world


@click.command()
@click.option("--seed", default=1, help="What is drawn.")
@click.option("--minutes", default=60.0, help="No new round after these.")
@click.option("--only", default="", help="Some of its rounds: 3,9,12")
@click.option("--without", default="", help="What is left out: 'etcd restored,quota'")
@click.option("--just", default="", help="The only things that are drawn.")
@click.option("--longest", default=75.0, help="Seconds that something stays broken at most.")
@click.option("--logs", type=click.Path(path_type=Path), help="A folder where they stay.")
def main(
    seed: int,
    minutes: float,
    only: str,
    without: str,
    just: str,
    longest: float,
    logs: Path | None,
) -> None:
    """Exit code 1: a promise was broken."""
    logging.disable(logging.CRITICAL)  # what a proxy drops at its end concerns nobody
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    left_out = {*_words(without)}
    if just:
        left_out |= {*ACTIONS, *NETWORK} - {*_words(just)}
    rounds = tuple(int(x) for x in _words(only))
    course = Course(seed, minutes, rounds, left_out, longest)
    with tempfile.TemporaryDirectory(prefix="hookplane-chaos-") as own:
        folder = logs or Path(own)
        folder.mkdir(parents=True, exist_ok=True)
        with world(folder, watches_secrets=bool(seed % 2)) as made:
            report = Scenario(made, course).run()
    click.echo(report.text())
    sys.exit(1 if report.violations else 0)


def _words(text: str) -> list[str]:
    return [x.strip() for x in text.split(",") if x.strip()]


if __name__ == "__main__":
    main()
