"""An exception for the log: its types and its frames, down its chain, and never its words.

The text of an exception may hold what a client sent or a row holds: PostgreSQL shows the row in its detail, and Python
the value in `int("...")` or a KeyError. What was raised where is in the frames, with the line of code; of PostgreSQL's
errors the SQLSTATE and the names it gives are told too, and of the system's the name of the error's number.
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Iterator
from itertools import islice

import psycopg

from migrations.told import named, sentence

_LONGEST_CHAIN = 10
_OF_A_GROUP = 5


def in_full(error: BaseException) -> str:
    """Frames and types, the cause first, as Python shows them."""
    return "".join(_block(one, joint) for one, joint in reversed(list(islice(_chain(error), _LONGEST_CHAIN))))


def shortly(error: BaseException) -> str:
    """The type, and what is known of it by number or name."""
    if isinstance(error, OSError) and error.errno is not None:
        return f"{type(error).__name__} ({errno.errorcode.get(error.errno, error.errno)})"
    if isinstance(error, BaseExceptionGroup):
        inner = ", ".join(shortly(one) for one in error.exceptions[:_OF_A_GROUP])
        return f"{type(error).__name__} of {len(error.exceptions)}: {inner}"
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        return f"{type(error).__name__}: {sentence(error)}"  # of the connection: no row was read or sent
    return named(error)


def without_words(message: str, error: BaseException) -> str:
    """A message that quotes the exception, as asyncio's does, without its text."""
    for one, _ in islice(_chain(error), _LONGEST_CHAIN):
        for text in (repr(one), str(one)):
            if text:
                message = message.replace(text, shortly(one))
    return message


def _chain(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """The exception, what it came of, and so on; with the words that join it to the one before."""
    seen: set[int] = set()
    joint, found = "", error
    while id(found) not in seen:
        seen.add(id(found))
        yield found, joint
        if found.__cause__ is not None:
            joint, found = "which caused:\n", found.__cause__
        elif found.__context__ is not None and not found.__suppress_context__:
            joint, found = "and while that was handled:\n", found.__context__


def _block(error: BaseException, joint: str) -> str:
    frames = "".join(traceback.format_tb(error.__traceback__))
    groups = ""
    if isinstance(error, BaseExceptionGroup):
        groups = "".join(in_full(one) for one in error.exceptions[:_OF_A_GROUP])
    return f"{groups}{frames}{shortly(error)}\n{joint}"
