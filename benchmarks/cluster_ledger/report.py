"""The ledger for people."""

from __future__ import annotations

from benchmarks.account import Account
from benchmarks.cluster_ledger.run import Observed
from benchmarks.cluster_ledger.targets import TARGETS


def text(account: Account, seen: Observed) -> str:
    """The ledger for people."""
    lines = [(name, f"{count} times") for name, count in seen.faults.most_common()]
    back, most = sorted(seen.back), max(account.duplicates, default=0)
    lines += [
        ("events sent", f"{account.sent:,}"),
        ("accepted (2xx)", f"{account.accepted:,}"),
        ("delivered", f"{account.delivered:,} to {TARGETS} subscribers"),
        ("lost", f"{len(account.lost):,}"),
        ("refused and tried again", f"{account.retried:,}"),
        ("came twice", f"{sum(account.duplicates):,}, at most {most} a fault"),
        ("bound of a fault", f"{account.bound} (maxInFlight × subscriptions)"),
        ("came twice, no fault between", f"{len(account.unexplained):,}"),
        ("webhook-id changed", f"{len(account.renamed):,}"),
        ("delivered for replays", f"{seen.replayed:,}"),
        (
            "answers",
            ", ".join(f"{x or 'none'}: {n:,}" for x, n in sorted(seen.accepted.answers.items())),
        ),
        ("slowest 503", f"{seen.accepted.slowest_refusal:.2f} s"),
    ]
    if back:
        middle = back[len(back) // 2]
        lines.append(("accepted again after an outage", f"{middle:.2f} s, at most {back[-1]:.2f}"))
    lines.append(("verdict", ", ".join(account.flaws) or "every promise was kept"))
    lines += [("in the logs", f"{count} × {line}") for line, count in seen.errors.most_common(8)]
    width = max(len(name) for name, _ in lines)
    return "".join(f"{name:<{width}}  {value}\n" for name, value in lines)
