"""The one error of the embedded AWS's commands."""


class LocalError(RuntimeError):
    """What a person has to know, in one line."""
