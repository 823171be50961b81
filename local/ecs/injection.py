"""Values of the `secrets` of a container definition, looked up as the ECS agent does.

A reference (`valueFrom`) is one of:
- the ARN of a secret, `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME`, optionally followed by
  `:JSON-KEY:VERSION-STAGE:VERSION-ID`, any of which may be empty;
- the ARN of an SSM parameter;
- the name of an SSM parameter in the task's own region.
"""

from __future__ import annotations

import json
from typing import Any

from moto.secretsmanager.models import secretsmanager_backends
from moto.ssm.models import ssm_backends
from werkzeug.exceptions import HTTPException

from local import server
from local.ecs.errors import StartFailure
from local.ecs.model import Place

_PREFIX = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
_ARN_PARTS, _SELECTOR_PARTS = 7, 3


def secret_value(place: Place, reference: str) -> str:
    """The value behind one reference.

    Raises:
        StartFailure: as ECS says it: no such secret, version, key or parameter.
    """
    if not reference.startswith("arn:") or reference.split(":")[2] == "ssm":
        return _parameter(place, reference)
    service = reference.split(":")[2]
    if service != "secretsmanager":
        raise StartFailure(
            f"{_PREFIX}invalid secret ARN {reference}: the service is {service}, expected secretsmanager or ssm"
        )
    return _secret(reference)


def _secret(reference: str) -> str:
    parts = reference.split(":")
    arn, selectors = ":".join(parts[:_ARN_PARTS]), parts[_ARN_PARTS:]
    if len(parts) < _ARN_PARTS or len(selectors) not in (0, _SELECTOR_PARTS):
        raise StartFailure(
            f"{_PREFIX}unable to retrieve secret from asm: unexpected ARN format with parameters when trying to "
            f"retrieve ASM secret: {reference}"
        )
    key, stage, version = selectors or ("", "", "")
    found = _secret_version(arn, stage, version)
    text = found.get("SecretString")
    if text is None:
        raise StartFailure(f"{_PREFIX}unable to retrieve secret from asm: secret {arn} has no SecretString")
    return _json_key(arn, text, key) if key else str(text)


def _secret_version(arn: str, stage: str, version: str) -> dict[str, Any]:
    region, account = arn.split(":")[3:5]
    try:
        with server.LOCK:
            found: dict[str, Any] = secretsmanager_backends[account][region].get_secret_value(
                arn, version or None, stage or None
            )
            return found
    except HTTPException as error:
        raise StartFailure(
            f"{_PREFIX}unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch "
            f"secret {arn} from secrets manager: {_words(error)}"
        ) from None


def _json_key(arn: str, text: str, key: str) -> str:
    failure = f"{_PREFIX}unable to retrieve secret from asm: service call has been retried 1 time(s): "
    try:
        document = json.loads(text)
    except ValueError as error:
        raise StartFailure(f"{failure}secret {arn} is no JSON, so it has no key {key}: {error}") from None
    if not isinstance(document, dict) or key not in document:
        raise StartFailure(f"{failure}retrieved secret from Secrets Manager did not contain json key {key}")
    value = document[key]
    return value if isinstance(value, str) else json.dumps(value)


def _parameter(place: Place, reference: str) -> str:
    account, region, name = place.account, place.region, reference
    if reference.startswith("arn:"):
        region, account, rest = reference.split(":", 5)[3:]
        name = rest.removeprefix("parameter")
    with server.LOCK:
        backend = ssm_backends[account][region]
        # An ARN does not tell `/name` from `name`, nor does SSM.
        found = backend.get_parameter(name) or backend.get_parameter(name.removeprefix("/"))
        if found is not None:
            return str(found.response_object(decrypt=True)["Value"])
    raise StartFailure(
        f"{_PREFIX}unable to retrieve secrets from ssm: service call has been retried 1 time(s): "
        f"invalid ssm parameters: {reference}"
    )


def _words(error: HTTPException) -> str:
    """Code and message of one of moto's errors, which carries them as JSON."""
    try:
        body = json.loads(error.description or "{}")
        return f"{body['__type']}: {body.get('message', body.get('Message', ''))}"
    except (ValueError, KeyError):
        return f"{error.name}: {error.description}"
