"""`helm test`: the pod that it runs, and the program in it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from support.cluster.ports import free_port

Object = dict[str, Any]
Render = Callable[..., list[Object]]
PROGRAM = Path(__file__).parents[2] / "charts" / "hookplane" / "files" / "test" / "reach.py"
EXTERNAL: Object = {"postgresql": {"dsnSecret": {"name": "database"}}}
READERS: Object = {"networkPolicy": {"metricsFrom": [{"podSelector": {}}]}}


class Receiver(BaseHTTPRequestHandler):
    """Has nothing at `/`, and says that it is ready."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nobody reads it."""


@pytest.fixture
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def run(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.read_text(), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_it_succeeds_when_all_answer_as_they_should(url: str) -> None:
    code, told = run("0", f"{url}/readyz=200", f"{url}/=404")
    assert (code, told) == (0, f"{url}/readyz answers 200\n{url}/ answers 404\n")


def test_it_says_what_answers_otherwise_and_tries_the_others(url: str) -> None:
    silent = f"http://127.0.0.1:{free_port()}"
    code, told = run("0", f"{url}/=200", f"{silent}/=404", f"{url}/=404")
    first, second, third = told.splitlines()
    assert code == 1
    assert first == f"{url}/ answers 404, not 200"
    assert second.startswith(f"{silent}/ answers nothing (")
    assert third == f"{url}/ answers 404"


def test_it_waits_for_what_comes_late() -> None:
    port = free_port()
    wanted = f"http://127.0.0.1:{port}/=404"
    waiting = subprocess.Popen(
        [sys.executable, str(PROGRAM), "60", wanted], stdout=subprocess.PIPE, text=True
    )
    with HTTPServer(("127.0.0.1", port), Receiver) as server:
        server.timeout = 0.1
        while waiting.poll() is None:
            server.handle_request()
    told, _ = waiting.communicate()
    assert (waiting.returncode, told) == (0, f"http://127.0.0.1:{port}/ answers 404\n")


def pod(render: Render, values: Object) -> Object | None:
    return next((x for x in render(values) if x["kind"] == "Pod"), None)


def test_the_pod_asks_the_operator_and_the_receivers_and_holds_no_rights(render: Render) -> None:
    made = pod(render, EXTERNAL)
    assert made is not None
    kubernetes_validate.validate(made, "1.37", strict=True)
    assert made["metadata"]["annotations"]["helm.sh/hook"] == "test"
    spec = made["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    [container] = spec["containers"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["args"] == [
        PROGRAM.read_text(),
        "240",
        "http://hookplane-operator.hookplane-system.svc:8081/readyz=200",
        "http://default-receiver.hookplane-system.svc/=404",
    ]


@pytest.mark.parametrize(
    ("values", "asked"),
    [
        (EXTERNAL | READERS, ["default-receiver"]),
        ({"defaultGateway": {"enabled": False}}, ["hookplane-operator"]),
        ({"defaultGateway": {"enabled": False}} | READERS, None),
    ],
)
def test_it_asks_only_whom_it_can_reach(
    render: Render, values: Object, asked: list[str] | None
) -> None:
    made = pod(render, values)
    if asked is None:
        assert made is None
    else:
        assert made is not None
        urls = made["spec"]["containers"][0]["args"][2:]
        assert [x.removeprefix("http://").partition(".")[0] for x in urls] == asked
