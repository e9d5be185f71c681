"""Headers of a request, as every part passes them on."""

from __future__ import annotations

Headers = tuple[tuple[str, str], ...]
"""Header names in lower case with their values, in the order of arrival."""
