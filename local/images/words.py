"""Words and variables of a Dockerfile line, by the rules of the Dockerfile reference.

Single quotes keep everything, double quotes keep spaces, a backslash keeps the next character, and `$NAME`, `${NAME}`,
`${NAME:-default}` and `${NAME:+alternative}` are replaced outside single quotes.
"""

import re
from collections.abc import Iterator, Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BRACED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::([-+])([^{}]*))?\}")


class WordsError(ValueError):
    """A line whose quotes or variables cannot be read; the message is the reason alone."""


def words(text: str, variables: Mapping[str, str]) -> list[str]:
    """Split a line at unquoted white space, with quotes taken away and variables replaced.

    Raises:
        WordsError: a quote is not closed, or `${` is not followed by a form named above.
    """
    found: list[str] = []
    current: list[str] | None = None
    for char, quoted in _characters(text, variables):
        if char.isspace() and not quoted:
            if current is not None:
                found.append("".join(current))
            current = None
        else:
            current = [] if current is None else current
            current.append(char)
    if current is not None:
        found.append("".join(current))
    return found


def expand(text: str, variables: Mapping[str, str]) -> str:
    """The text with quotes taken away and variables replaced, not split.

    Raises:
        WordsError: as in `words`.
    """
    return "".join(char for char, _ in _characters(text, variables))


def _characters(text: str, variables: Mapping[str, str]) -> Iterator[tuple[str, bool]]:
    """Each piece of the result, and whether a quote or a variable protects it from being split."""
    quote, at = "", 0
    while at < len(text):
        char = text[at]
        at += 1
        if quote == "'" and char != "'":
            yield char, True
        elif char == quote:
            quote = ""
            yield "", True
        elif not quote and char in "'\"":
            quote = char
            yield "", True  # so that "" is a word
        elif char == "\\" and at < len(text) and (not quote or text[at] in '"\\$'):
            yield text[at], True
            at += 1
        elif char == "$":
            value, at = _variable(text, at, variables)
            yield value, True
        else:
            yield char, bool(quote)
    if quote:
        raise WordsError(f"the quote {quote} is not closed")


def _variable(text: str, at: int, variables: Mapping[str, str]) -> tuple[str, int]:
    """The value of the variable whose dollar sign ends at `at`, and where the text goes on."""
    if text[at : at + 1] == "{":
        match = _BRACED.match(text, at + 1)
        if match is None:
            raise WordsError(
                f"{text[at - 1 :].split()[0]} is not understood; use ${{NAME}}, ${{NAME:-default}} or ${{NAME:+value}}"
            )
        name, operator, word = match.groups()
        return _operate(variables.get(name, ""), operator, word or "", variables), match.end()
    match = _NAME.match(text, at)
    if match is None:
        return "$", at
    return variables.get(match[0], ""), match.end()


def _operate(value: str, operator: str | None, word: str, variables: Mapping[str, str]) -> str:
    if operator == "-":
        return value or expand(word, variables)
    if operator == "+":
        return expand(word, variables) if value else ""
    return value
