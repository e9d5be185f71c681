"""WhatsApp: its samples; the rest is what Meta's products share."""

from __future__ import annotations

from typing import Any, Final

from hookplane.providers.meta import meta_preset
from hookplane.providers.sample_forms import Headers, Samples, Seed, json_request


def _whatsapp(seed: Seed) -> tuple[Headers, bytes]:
    own, at = f"wamid.{seed.id}", str(seed.seconds)
    phone = {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"}
    value: dict[str, Any] = {"messaging_product": "whatsapp", "metadata": phone}
    if seed.type == "statuses":
        value["statuses"] = [
            {"id": own, "status": "delivered", "timestamp": at, "recipient_id": "16505551234"}
        ]
    else:
        value["contacts"] = [{"profile": {"name": "Sheena Nelson"}, "wa_id": "16505551234"}]
        text = {"body": "Does it come in another color?"}
        value["messages"] = [
            {"from": "16505551234", "id": own, "timestamp": at, "type": "text", "text": text}
        ]
    change = {"field": "messages", "value": value}
    entry = [{"id": "102290129340398", "changes": [change]}]
    return json_request({"object": "whatsapp_business_account", "entry": entry})


PRESET: Final = meta_preset("WhatsApp", Samples(("messages", "statuses"), _whatsapp))
