"""What Hookplane knows of each provider, as data. Facts: the provider pages named in each `doc`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from hookplane.config.endpoint import Answer, Source
from hookplane.errors import InvalidValue
from hookplane.secret import Secret
from hookplane.signatures.scheme import (
    Algorithm,
    Encoding,
    KeyEncoding,
    Layout,
    SignatureScheme,
    Timestamp,
)
from hookplane.signatures.signing import GeneratedKind

GENERIC: Final = "Generic"
STORED: Final = Answer()
NO_CONTENT: Final = Answer(status=204, body="")
EMPTY: Final = Answer(status=200, content_type="text/plain; charset=utf-8", body="")


@dataclass(frozen=True, slots=True)
class Variant:
    """One way in which a provider signs, chosen by how the key begins."""

    signature: SignatureScheme | None
    """None: only Generic, where the user says it."""
    dedup_key: Source | None
    key_prefix: str = ""
    """Keys of this variant begin so; the empty one is for all other keys and comes last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One provider. Compile copies these facts into the EndpointConfig."""

    name: str
    doc: str
    """One line for people: what the key is and where it is found."""
    variants: tuple[Variant, ...]
    event_type: Source
    handshake: str | None = None
    """Name of a function of `hookplane.providers.handshakes`."""
    answer: Answer = STORED
    answers: Mapping[str, Answer] = field(default_factory=dict)
    """Answers to events of certain types, before `answer`; dropped when the user sets one."""
    generated_key: GeneratedKind | None = None
    """What is generated when no key is given; None: the key comes from the provider."""

    def variant(self, keys: Sequence[Secret] = ()) -> Variant:
        """The way of signing that the form of the keys tells. Raises InvalidValue when the keys
        are of different forms."""
        chosen = {self._of(key) for key in keys} or {len(self.variants) - 1}
        if len(chosen) > 1:
            forms = " and ".join(f'"{v.key_prefix}…"' for v in self.variants if v.key_prefix)
            raise InvalidValue(
                f"keys of one endpoint must be of one form: either all begin with {forms} or none"
            )
        return self.variants[chosen.pop()]

    def _of(self, key: Secret) -> int:
        text = key.reveal()
        return next(
            i for i, v in enumerate(self.variants) if text.startswith(v.key_prefix.encode())
        )


def get(name: str) -> Preset:
    """The preset of this name. Raises InvalidValue, which lists the names that there are."""
    try:
        return PRESETS[name]
    except KeyError:
        known = ", ".join(sorted(PRESETS))
        raise InvalidValue(f'"{name}" is not a provider; known are: {known}') from None


def standard_webhooks(prefix: str) -> SignatureScheme:
    """Standard Webhooks v1 with headers `<prefix>-id`, `-timestamp` and `-signature`.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    return SignatureScheme(
        header=f"{prefix}-signature",
        layout=Layout.VERSIONED,
        signature_key="v1",
        encoding=Encoding.BASE64,
        key_encoding=KeyEncoding.BASE64,
        key_prefix="whsec_",
        content="{id}.{timestamp}.{body}",
        id_header=f"{prefix}-id",
        timestamp=Timestamp(header=f"{prefix}-timestamp"),
    )


STANDARD: Final = standard_webhooks("webhook")
STANDARD_ED25519: Final = STANDARD.model_copy(
    update={"signature_key": "v1a", "algorithm": Algorithm.ED25519, "key_prefix": "whpk_"}
)
HUB_SHA256: Final = SignatureScheme(header="x-hub-signature-256", prefix="sha256=")


def _token(header: str) -> SignatureScheme:
    return SignatureScheme(header=header, algorithm=Algorithm.EQUALITY)


def _meta(name: str) -> Preset:
    return Preset(
        name=name,
        doc="Key: the app secret (Meta app dashboard, Settings, Basic). Parameter verifyToken: a "
        "word of your choice, entered beside the callback URL. "
        "https://developers.facebook.com/docs/graph-api/webhooks/getting-started",
        variants=(Variant(HUB_SHA256, Source(extractor="meta_key")),),
        event_type=Source(extractor="meta_type"),
        handshake="MetaChallenge",
    )


_ALL: Final = (
    Preset(
        name="StandardWebhooks",
        doc="Key: whsec_ and base64 (v1), or the sender's public key, whpk_ and base64 (v1a). "
        "https://www.standardwebhooks.com",
        variants=(
            Variant(STANDARD_ED25519, Source(header="webhook-id"), key_prefix="whpk_"),
            Variant(STANDARD, Source(header="webhook-id")),
        ),
        event_type=Source(body_path="type"),
        generated_key=GeneratedKind.WHSEC,
    ),
    _meta("WhatsApp"),
    _meta("Messenger"),
    _meta("Instagram"),
    Preset(
        name="Telegram",
        doc="Key: the secret_token that setWebhook was called with, 1-256 of A-Z a-z 0-9 _ -. "
        "https://core.telegram.org/bots/api#setwebhook",
        variants=(
            Variant(_token("x-telegram-bot-api-secret-token"), Source(body_path="update_id")),
        ),
        event_type=Source(extractor="telegram_type"),
        answer=EMPTY,
        generated_key=GeneratedKind.HEX,
    ),
    Preset(
        name="Discord",
        doc="Key: the application's public key, 64 hexadecimal digits. "
        "https://docs.discord.com/developers/interactions/overview",
        variants=(
            Variant(
                SignatureScheme(
                    header="x-signature-ed25519",
                    algorithm=Algorithm.ED25519,
                    key_encoding=KeyEncoding.HEX,
                    content="{timestamp}{body}",
                    timestamp=Timestamp(header="x-signature-timestamp", tolerance=None),
                ),
                Source(body_path="id"),
            ),
        ),
        event_type=Source(extractor="discord_type"),
        handshake="DiscordPing",
        answer=NO_CONTENT,
        # An interaction is answered by "wait": the subscriber follows up with its token.
        answers=MappingProxyType(
            {
                "APPLICATION_COMMAND": Answer(body='{"type":5}'),
                "MESSAGE_COMPONENT": Answer(body='{"type":6}'),
                "APPLICATION_COMMAND_AUTOCOMPLETE": Answer(body='{"type":8,"data":{"choices":[]}}'),
                "MODAL_SUBMIT": Answer(body='{"type":5}'),
            }
        ),
    ),
    Preset(
        name="Stripe",
        doc="Key: the endpoint's signing secret, whsec_…. https://docs.stripe.com/webhooks",
        variants=(
            Variant(
                SignatureScheme(
                    header="stripe-signature",
                    layout=Layout.KEY_VALUE,
                    content="{timestamp}.{body}",
                    timestamp=Timestamp(),
                ),
                Source(body_path="id"),
            ),
        ),
        event_type=Source(body_path="type"),
    ),
    Preset(
        name="GitHub",
        doc="Key: the webhook's secret, of your choice. "
        "https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
        variants=(Variant(HUB_SHA256, Source(header="x-github-delivery")),),
        event_type=Source(extractor="github_type"),
        generated_key=GeneratedKind.HEX,
    ),
    Preset(
        name="GitLab",
        doc="Key: the webhook's secret token, of your choice, or its signing token, whsec_…. "
        "https://docs.gitlab.com/user/project/integrations/webhooks/",
        variants=(
            Variant(STANDARD, Source(header="webhook-id"), key_prefix="whsec_"),
            Variant(_token("x-gitlab-token"), Source(header="idempotency-key")),
        ),
        event_type=Source(header="x-gitlab-event"),
        generated_key=GeneratedKind.HEX,
    ),
    Preset(
        name="Slack",
        doc="Key: the app's signing secret (Basic Information). "
        "https://docs.slack.dev/authentication/verifying-requests-from-slack",
        variants=(
            Variant(
                SignatureScheme(
                    header="x-slack-signature",
                    prefix="v0=",
                    content="v0:{timestamp}:{body}",
                    timestamp=Timestamp(header="x-slack-request-timestamp"),
                ),
                Source(extractor="slack_key"),
            ),
        ),
        event_type=Source(extractor="slack_type"),
        handshake="SlackChallenge",
        # The body of an answer to a slash command is shown to the user.
        answer=EMPTY,
    ),
    Preset(
        name="Shopify",
        doc="Key: the app's client secret; keep the old one for an hour after a rotation. "
        "https://shopify.dev/docs/apps/build/webhooks/verify-deliveries",
        variants=(
            Variant(
                SignatureScheme(header="x-shopify-hmac-sha256", encoding=Encoding.BASE64),
                Source(extractor="shopify_key"),
            ),
        ),
        event_type=Source(header="x-shopify-topic"),
    ),
    Preset(
        name="Svix",
        doc="Key: the endpoint's signing secret, whsec_…. "
        "https://docs.svix.com/receiving/verifying-payloads/how-manual",
        variants=(Variant(standard_webhooks("svix"), Source(header="svix-id")),),
        event_type=Source(body_path="type"),
    ),
    Preset(
        name=GENERIC,
        doc="How requests are signed is said in verification.signature.",
        variants=(Variant(None, None),),
        event_type=Source(value="unknown"),
    ),
)

PRESETS: Final[Mapping[str, Preset]] = MappingProxyType({preset.name: preset for preset in _ALL})
