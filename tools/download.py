"""The official release archive of the Pulumi CLI, verified against the checksums published with it."""

from __future__ import annotations

import hashlib
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import IO

from .console import PROGRESS_SECONDS, say
from .project import PULUMI_VERSION, ToolError, machine

RELEASES = "https://get.pulumi.com/releases/sdk"
CONNECT_SECONDS = 5.0  # an unreachable host is given up after this, as there is another way


def fetch(target: Path) -> None:
    """Fill the folder with the release for this platform: the CLI and its language hosts.

    Raises:
        ToolError: the release can't be reached, or is not what its publisher says it is.
    """
    name = archive_name(*machine())
    sums = checksums(_text(f"{RELEASES}/pulumi-{PULUMI_VERSION}-checksums.txt"))
    expected = sums.get(name)
    if expected is None:
        raise ToolError(f"the published checksums of {PULUMI_VERSION} do not name {name}")
    archive = target / name
    found = _save(f"{RELEASES}/{name}", archive)
    if found != expected:
        archive.unlink()
        raise ToolError(f"{name} has SHA-256 {found}, expected {expected}: it was not used")
    unpack(archive, target)
    archive.unlink()


def archive_name(system: str, processor: str) -> str:
    """The file name of the release for a platform."""
    return f"pulumi-v{PULUMI_VERSION}-{system}-{processor}.tar.gz"


def checksums(text: str) -> dict[str, str]:
    """File name to SHA-256, from the lines ``<hex>  <name>`` that sha256sum writes."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[1].lstrip("*"): pair[0].lower() for pair in pairs if len(pair) == 2}


def unpack(archive: Path, target: Path) -> None:
    """Unpack the archive's one folder ``pulumi/`` into the target folder itself."""
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(target, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ToolError(f"{archive.name} does not unpack ({error})") from error
    inner = target / "pulumi"
    if not inner.is_dir():
        raise ToolError(f"{archive.name} holds no folder pulumi/, found {sorted(p.name for p in target.iterdir())}")
    moved = inner.rename(target / ".unpacked")
    for item in moved.iterdir():
        item.rename(target / item.name)
    moved.rmdir()


def _text(url: str) -> str:
    with _reaching(url), _open(url) as answer:
        return answer.read().decode()


def _save(url: str, path: Path) -> str:
    """Save a URL to a file, with a line of progress now and then. Returns the SHA-256 of what came."""
    digest = hashlib.sha256()
    started = reported = time.monotonic()
    with _reaching(url), _open(url) as answer, path.open("wb") as file:
        while chunk := answer.read(1 << 18):
            digest.update(chunk)
            file.write(chunk)
            now = time.monotonic()
            if now - reported >= PROGRESS_SECONDS:
                reported = now
                say(f"tools: downloading the Pulumi CLI: {file.tell() / 1e6:.0f} MB, {now - started:.0f} s")
    return digest.hexdigest()


def _open(url: str) -> IO[bytes]:
    answer: IO[bytes] = urllib.request.urlopen(url, timeout=CONNECT_SECONDS)  # noqa: S310 - always https, see RELEASES
    return answer


@contextmanager
def _reaching(url: str) -> Iterator[None]:
    try:
        yield
    except urllib.error.HTTPError as error:
        raise ToolError(f"{url} answers {error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise ToolError(f"{url} can't be reached ({reason})") from error
