"""Application Auto Scaling: the tags of scalable targets."""

from __future__ import annotations

import json
from typing import Any

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse as Response

_tags: dict[str, dict[str, str]] = {}


def tags() -> None:
    """moto drops the tags of a scalable target and has none of the three calls for them."""
    original = Response.register_scalable_target

    def register_scalable_target(response: Any) -> Any:
        answer = original(response)
        if given := response._get_param("Tags"):
            _tags[json.loads(answer)["ScalableTargetARN"]] = dict(given)
        return answer

    Response.register_scalable_target = register_scalable_target
    Response.list_tags_for_resource = _list
    Response.tag_resource = _add
    Response.untag_resource = _remove


def _list(response: Any) -> str:
    return json.dumps({"Tags": _tags.get(response._get_param("ResourceARN"), {})})


def _add(response: Any) -> str:
    _tags.setdefault(response._get_param("ResourceARN"), {}).update(response._get_param("Tags") or {})
    return "{}"


def _remove(response: Any) -> str:
    for key in response._get_param("TagKeys") or ():
        _tags.get(response._get_param("ResourceARN"), {}).pop(key, None)
    return "{}"


PATCHES = (tags,)
