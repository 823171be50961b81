"""Physical names for resources whose program gives none, as Pulumi's own providers make them."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from local.plugins.aws.model import Type
from local.plugins.aws.values import DEFAULTS
from provider.rpc.messages import Request

SUFFIX = 7


def named(type_: Type, request: Request, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs with the type's name filled in.

    A name that was made before stays. The engine asks with no old inputs for a replacement, which so gets another.
    """
    if not type_.name or inputs.get(type_.name) is not None:
        return dict(inputs)
    name = request.old_inputs.get(type_.name) or made(type_, request.name, request.random_seed or request.urn.encode())
    return {**inputs, type_.name: name, DEFAULTS: [type_.name]}


def made(type_: Type, logical: str, seed: bytes) -> str:
    """The logical name, shortened, and some hex digits that a replacement does not share."""
    suffix = hashlib.sha256(seed).hexdigest()[:SUFFIX]
    room = type_.name_length - len(type_.name_prefix) - SUFFIX - 1
    base = logical.lower() if type_.name_lower else logical
    if type_.name_lower or type_.name_length <= 32:
        base = re.sub(r"[^A-Za-z0-9]+", "-", base)
    return f"{type_.name_prefix}{base[:room].strip('-')}-{suffix}"
