"""Secrets Manager: what AWS refuses and moto accepts."""

from __future__ import annotations

from typing import Any

from moto.secretsmanager.models import SecretsManagerBackend

from local.moto_ext.errors import aws_error


def rotation_needs_a_function() -> None:
    """moto rotates a secret that has no rotation function, to the same value; AWS refuses. Secrets that another service
    owns are rotated by that service."""
    original = SecretsManagerBackend.rotate_secret

    def rotate_secret(backend: Any, secret_id: str, *args: Any, **kwargs: Any) -> Any:
        function = kwargs.get("rotation_lambda_arn")
        secret = backend.secrets.get(secret_id)
        if not function and not (secret and (secret.owning_service or secret.rotation_lambda_arn)):
            raise aws_error(
                "InvalidRequestException", "No Lambda rotation function ARN is associated with this secret."
            )
        return original(backend, secret_id, *args, **kwargs)

    SecretsManagerBackend.rotate_secret = rotate_secret


PATCHES = (rotation_needs_a_function,)
