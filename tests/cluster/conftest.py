"""What tests of a cluster share; each file says which `place` is its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.http.subscriber import Target, target
from support.kubernetes.api_proxy import ApiProxy, api_proxy
from support.kubernetes.control_plane import ControlPlane, shared_control_plane
from support.kubernetes.installation import Installation, installation, reachable_address
from support.kubernetes.kubectl import Kubectl, is_ready


@pytest.fixture(scope="module")
def plane() -> ControlPlane:
    return shared_control_plane()


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Its gateway is."""
    with installation(tmp_path_factory.mktemp("ready")) as made:
        made.kubectl.until("whg", "default", is_ready)
        yield made


@pytest.fixture(scope="module")
def proxy(plane: ControlPlane) -> Iterator[ApiProxy]:
    """By which the operator asks."""
    with api_proxy(plane, "the-operator", "system:masters") as made:
        yield made


@pytest.fixture(scope="module")
def proxied(
    plane: ControlPlane, proxy: ApiProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """Its operator asks by the proxy."""
    folder = tmp_path_factory.mktemp("proxied")
    config = proxy.kubeconfig(folder / "kubeconfig")
    with installation(folder, plane, kubeconfig=config) as made:
        made.kubectl.until("whg", "default", is_ready, seconds=180)
        yield made


@pytest.fixture
def kubectl(place: Installation) -> Kubectl:
    return place.kubectl


@pytest.fixture
def subscriber() -> Iterator[Target]:
    with target(reachable_address()) as made:
        yield made
