"""What a pod shows to the API server and believes of it: files that the kubelet exchanges while we
run (https://kubernetes.io/docs/concepts/storage/projected-volumes/#serviceaccounttoken)."""

from __future__ import annotations

import logging
import os
import ssl
from pathlib import Path
from typing import Final

from kubernetes.aio.client.configuration import Configuration

from hookplane_operator.kube.errors import ApiError

FOLDER: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
HOST: Final = "KUBERNETES_SERVICE_HOST"
PORT: Final = "KUBERNETES_SERVICE_PORT"

_log = logging.getLogger("hookplane.operator")


class ServiceAccount:
    """Read before each request. A token that is being written, empty or gone for a moment, leaves
    the last one in use; certificates that cannot be read leave the last ones in force."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._token_file = folder / "token"
        self._ca_file = folder / "ca.crt"
        self._token = ""
        self._ca = b""
        self._flaws: dict[Path, str] = {}
        """What was last said of each file."""

    @staticmethod
    def is_there() -> bool:
        """Whether this process runs in a pod."""
        return bool(os.environ.get(HOST))

    def configure(self, configuration: Configuration) -> None:
        """Sets address and certificates. Raises ApiError while there are no certificates."""
        if not self.takes_new_ca():
            raise ApiError(0, f"{self._ca_file} holds no certificate")
        host = os.environ[HOST]
        name = f"[{host}]" if ":" in host else host
        configuration.host = f"https://{name}:{os.environ.get(PORT) or '443'}"
        configuration.ssl_ca_cert = str(self._ca_file)

    def takes_new_ca(self) -> bool:
        """Whether the certificates in the file are others than when this was last asked, and can be
        used."""
        try:
            found = self._ca_file.read_bytes()
            if found != self._ca:
                ssl.create_default_context(cadata=found.decode("ascii"))
        except (OSError, ValueError) as error:
            self._tell(self._ca_file, f"cannot be used: {type(error).__name__}")
            return False
        self._tell(self._ca_file, "")
        is_new, self._ca = found != self._ca, found
        return is_new

    def token(self) -> str:
        """As it is in the file now, or the last one that was. Raises ApiError when there has been
        none yet."""
        try:
            found = self._token_file.read_text("ascii").strip()
        except (OSError, ValueError):
            found = ""
        self._tell(self._token_file, "" if found else "holds no token")
        self._token = found or self._token
        if not self._token:
            raise ApiError(0, f"{self._token_file} holds no token")
        return self._token

    def _tell(self, file: Path, flaw: str) -> None:
        """Logs each flaw once."""
        if flaw and flaw != self._flaws.get(file):
            _log.warning("%s %s; what was read before is used", file, flaw)
        self._flaws[file] = flaw
