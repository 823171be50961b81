"""Who is at work, for records that people read later."""

from __future__ import annotations

import getpass
import os


def actor() -> str:
    """Jenkins's user where it names one, else whoever runs Pulumi."""
    named = next((os.environ[one] for one in ("BUILD_USER_ID", "CHANGE_AUTHOR") if os.environ.get(one)), None)
    if named is not None:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in a container
        return f"uid {os.getuid()}"
