"""The configuration of an `aws` provider, as the engine sends it: text, nested values as JSON text."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.plugins.aws.client import Clients
from provider.rpc.messages import Failure
from provider.rpc.values import unknown

# Settings that mean something to this plugin, and settings whose whole effect is a check against real AWS.
UNDERSTOOD = frozenset(
    {
        "region", "endpoints", "allowedAccountIds", "forbiddenAccountIds", "accessKey", "secretKey", "token", "profile",
        "defaultTags", "ignoreTags",
    }
)  # fmt: skip
WITHOUT_EFFECT = frozenset(
    {
        "version", "skipCredentialsValidation", "skipMetadataApiCheck", "skipRegionValidation",
        "skipRequestingAccountId", "s3UsePathStyle", "maxRetries", "retryMode", "pluginDownloadURL",
    }
)  # fmt: skip
_CREDENTIALS = {
    "accessKey": "aws_access_key_id",
    "secretKey": "aws_secret_access_key",
    "token": "aws_session_token",
    "profile": "profile",
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A provider's configuration.

    Attributes:
        clients: for its region, endpoints and credentials.
        default_tags: on everything that takes tags.
        ignored_tags: keys of tags that somebody else sets; as if they were not there.
        ignored_prefixes: the same, by the beginning of the key.
    """

    clients: Clients = field(default_factory=Clients)
    default_tags: Mapping[str, str] = field(default_factory=dict)
    ignored_tags: Sequence[str] = ()
    ignored_prefixes: Sequence[str] = ()

    def ours(self, tags: Mapping[str, str]) -> dict[str, str]:
        """Those of the tags that are not to be ignored."""
        return {
            key: value
            for key, value in tags.items()
            if key not in self.ignored_tags and not key.startswith(tuple(self.ignored_prefixes))
        }


def failures(given: Mapping[str, Any]) -> list[Failure]:
    """What in a configuration this plugin cannot take."""
    found = [
        Failure(property=key, reason="is not understood by the aws plugin of the embedded AWS")
        for key in sorted(given.keys() - UNDERSTOOD - WITHOUT_EFFECT)
    ]
    for key in ("endpoints", "defaultTags", "ignoreTags", "allowedAccountIds", "forbiddenAccountIds"):
        try:
            _loaded(given.get(key))
        except ValueError as error:
            found.append(Failure(property=key, reason=f"is not JSON: {error}"))
    return found


def load(given: Mapping[str, Any]) -> Settings:
    """Read a configuration that `failures` found nothing wrong with. Nothing is called."""
    known = {key: value for key, value in given.items() if not unknown(value)}
    endpoints: dict[str, str] = {}
    for group in _loaded(known.get("endpoints")) or []:
        endpoints.update(group)
    tags = _loaded(known.get("defaultTags")) or {}
    clients = Clients(
        region=known.get("region", ""),
        endpoints=endpoints,
        credentials={name: known[key] for key, name in _CREDENTIALS.items() if known.get(key)},
        allowed_accounts=_texts(_loaded(known.get("allowedAccountIds"))),
        forbidden_accounts=_texts(_loaded(known.get("forbiddenAccountIds"))),
    )
    ignored = _loaded(known.get("ignoreTags")) or {}
    return Settings(
        clients=clients,
        default_tags={key: str(value) for key, value in (tags.get("tags") or {}).items()},
        ignored_tags=_texts(ignored.get("keys")),
        ignored_prefixes=_texts(ignored.get("keyPrefixes")),
    )


def _texts(values: Any) -> Sequence[str]:
    return tuple(str(value) for value in values or ())


def _loaded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value and not unknown(value) else value
