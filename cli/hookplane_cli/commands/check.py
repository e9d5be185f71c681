"""`hookplane check`: reads and compiles manifests as a cluster would, and says what is wrong."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import click
import orjson

from hookplane.clock import SystemClock
from hookplane.compile.resources import compile_resources
from hookplane.manifests.files import read_files
from hookplane.manifests.read import read_manifests
from hookplane_cli.local.report import CheckReport, make_report
from hookplane_cli.options import CHECKING, labelled_secrets_option, manifests_option


@click.command(name="check")
@manifests_option
@labelled_secrets_option
@click.option("--strict", is_flag=True, help="What is needed from elsewhere is a problem too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON value, for machines.")
def command(sources: tuple[Path, ...], labelled_secrets: bool, strict: bool, as_json: bool) -> None:
    """Check manifests without serving them; exit code 1 when there are problems."""
    report = check(sources, strict, labelled_secrets=labelled_secrets)
    if as_json:
        click.echo(orjson.dumps(report.as_json()).decode())
    else:
        _show(report)
    sys.exit(1 if report.problems or not report.objects else 0)


def check(
    sources: tuple[Path, ...], strict: bool = False, *, labelled_secrets: bool = False
) -> CheckReport:
    """What there is to say about these manifests."""
    options = dataclasses.replace(CHECKING, labelled_secrets=labelled_secrets)
    manifests = read_manifests(read_files(sources))
    now = SystemClock().now()
    compiled = compile_resources(manifests.resources, manifests.secrets, options, now=now)
    return make_report(manifests, compiled.problems, strict=strict)


def _show(report: CheckReport) -> None:
    for finding in report.problems:
        click.echo(str(finding))
    for finding in report.notes:
        click.echo(f"note: {finding}")
    click.echo(report.summary())
