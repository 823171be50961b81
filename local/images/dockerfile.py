"""Read a Dockerfile into instructions: the subset that an image without a Docker engine can be made from.

Understood: FROM (one stage, a `python` image), ARG, ENV, WORKDIR, COPY from the context, RUN (see run.py), USER,
EXPOSE, STOPSIGNAL, LABEL, and ENTRYPOINT and CMD in exec form. Everything else is an error that names line and
instruction: an instruction that were passed over would make another image than a Docker engine makes.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

KNOWN = (
    "FROM", "ARG", "ENV", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "STOPSIGNAL", "LABEL", "ENTRYPOINT", "CMD",
)  # fmt: skip
_HINTS = {
    "ADD": "use COPY",
    "SHELL": "RUN is not given to a shell",
    "MAINTAINER": "use LABEL",
    "HEALTHCHECK": "Amazon ECS does not read it; declare the health check in the task definition",
}
_FLAG = re.compile(r"--([a-z][a-z-]*)(?:=(\S*))?(?:\s+|$)")
_DIRECTIVE = re.compile(r"#\s*([a-z]+)\s*=\s*(\S+)\s*$", re.IGNORECASE)


class DockerfileError(ValueError):
    """An image cannot be built from its Dockerfile. The message names file, line and instruction.

    Args:
        file: the Dockerfile's name as the program gave it.
        line: 1 for the first; 0 where the file as a whole is meant.
        instruction: the keyword, or "" where there is none.
        reason: what was found, what was expected.
    """

    def __init__(self, file: str, line: int, instruction: str, reason: str) -> None:
        place = f"{file}, line {line}" if line else file
        super().__init__(": ".join(part for part in (place, instruction, reason) if part))
        self.line = line
        self.instruction = instruction


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One instruction, continuation lines joined.

    Attributes:
        line: where it begins.
        keyword: in capitals.
        flags: the `--name=value` before the arguments; "" for a flag without a value.
        arguments: the text after them, variables not replaced.
    """

    line: int
    keyword: str
    flags: tuple[tuple[str, str], ...]
    arguments: str


def parse(text: str, file: str = "Dockerfile") -> list[Instruction]:
    """Read a whole Dockerfile.

    Raises:
        DockerfileError: an unknown instruction, no arguments, a here-document, a second stage, an instruction before
            FROM other than ARG, or no FROM.
    """
    found = [_instruction(file, line, logical) for line, logical in _logical_lines(file, text)]
    stages = [one for one in found if one.keyword == "FROM"]
    if not stages:
        raise DockerfileError(file, 0, "", "no FROM; an image begins with one")
    if len(stages) > 1:
        raise DockerfileError(file, stages[1].line, "FROM", "a second stage is not understood; use one FROM")
    for one in found[: found.index(stages[0])]:
        if one.keyword != "ARG":
            raise DockerfileError(file, one.line, one.keyword, "stands before FROM, where only ARG may stand")
    return found


def exec_form(text: str) -> list[str] | None:
    """The words of `["a", "b"]`, or None when the text is not in exec form."""
    if not text.startswith("["):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, list) and all(isinstance(word, str) for word in value) else None


def _logical_lines(file: str, text: str) -> Iterator[tuple[int, str]]:
    """Number and text of each instruction; comments and empty lines are left out, also inside an instruction."""
    start, parts = 0, list[str]()
    for number, raw in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        line = raw.strip()
        if line.startswith("#"):
            _refuse_escape(file, number, line)
            continue
        if not line:
            continue
        start = start or number
        parts.append(line.removesuffix("\\").rstrip())
        if line.endswith("\\"):
            continue
        yield start, " ".join(parts).strip()
        start, parts = 0, []
    if parts:
        yield start, " ".join(parts).strip()


def _refuse_escape(file: str, number: int, line: str) -> None:
    match = _DIRECTIVE.match(line)
    if match and match[1].lower() == "escape" and match[2] != "\\":
        raise DockerfileError(file, number, "# escape", f"found {match[2]}; only the backslash is understood")


def _instruction(file: str, line: int, logical: str) -> Instruction:
    word, _, rest = logical.partition(" ")
    keyword, rest = word.upper(), rest.strip()
    if keyword not in KNOWN:
        hint = _HINTS.get(keyword, f"known are {', '.join(KNOWN)}")
        raise DockerfileError(file, line, word[:40], f"an instruction the embedded builder does not know; {hint}")
    flags: list[tuple[str, str]] = []
    while match := _FLAG.match(rest):
        flags.append((match[1], match[2] or ""))
        rest = rest[match.end() :]
    if "<<" in rest and re.search(r"<<-?[\"']?[A-Za-z_]", rest):
        raise DockerfileError(file, line, keyword, "here-documents are not understood; put the text into a file")
    if not rest:
        raise DockerfileError(file, line, keyword, "has no arguments")
    return Instruction(line=line, keyword=keyword, flags=tuple(flags), arguments=rest)
