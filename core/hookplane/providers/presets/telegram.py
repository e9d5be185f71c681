"""Telegram: how its requests are signed, read and answered, with samples."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from hookplane.config.endpoint import Source
from hookplane.providers.extract import Extractor, Facts, as_object
from hookplane.providers.preset import EMPTY, Preset, Variant
from hookplane.providers.sample_forms import Headers, Samples, Seed, json_request
from hookplane.providers.schemes import token
from hookplane.signatures.signing import GeneratedKind


def telegram_type(facts: Facts) -> str:
    """The kind of update: the member beside `update_id`.
    https://core.telegram.org/bots/api#update"""
    return next((key for key in as_object(facts.json) if key != "update_id"), "")


def _telegram(seed: Seed) -> tuple[Headers, bytes]:
    person = {"id": 1111, "is_bot": False, "first_name": "Ada"}
    message = {
        "message_id": seed.number % 100_000,
        "from": person,
        "chat": {"id": 1111, "type": "private", "first_name": "Ada"},
        "date": seed.seconds,
        "text": "/start",
    }
    query = {"id": str(seed.number), "from": person, "message": message, "data": "yes"}
    content = query if seed.type == "callback_query" else message
    return json_request({"update_id": seed.number, seed.type: content})


PRESET: Final = Preset(
    name="Telegram",
    doc="Key: the secret_token that setWebhook was called with, 1-256 of A-Z a-z 0-9 _ -. "
    "https://core.telegram.org/bots/api#setwebhook",
    # An update is made once and sent until it is taken; another bot has numbers of its own.
    variants=(
        Variant(
            token("x-telegram-bot-api-secret-token"),
            Source(body_path="update_id"),
            repeats_identical=True,
        ),
    ),
    event_type=Source(extractor="telegram_type"),
    answer=EMPTY,
    generated_key=GeneratedKind.HEX,
    extractors=MappingProxyType({"telegram_type": Extractor(telegram_type)}),
    samples=Samples(("message", "edited_message", "callback_query"), _telegram),
)
