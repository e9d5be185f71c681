"""Messenger: its samples; the rest is what Meta's products share."""

from __future__ import annotations

from typing import Final

from hookplane.providers.meta import messaging_samples, meta_preset

PRESET: Final = meta_preset("Messenger", messaging_samples("page"))
