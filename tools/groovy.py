"""The Groovy that Jenkins embeds, for parsing the Jenkinsfile in the tests."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from . import console, locks
from .project import ToolError, cache

VERSION = "2.4.21"
ARTIFACT = f"org.codehaus.groovy:groovy-all:{VERSION}"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
SHA256 = "de65260cf2070442e99882f2f3d72e7531725c1e6a257446cc0cea525c607bd0"


def jar() -> Path:
    """The jar, fetched by Maven into the user's cache once.

    Raises:
        ToolError: Java or Maven missing, Maven Central unreachable, or another file than the pinned one.
    """
    folder = cache() / "groovy" / VERSION
    target = folder / f"groovy-all-{VERSION}.jar"
    if target.exists():
        return target
    missing = missing_programs()
    if missing:
        raise ToolError(f"no {' and no '.join(missing)} on PATH: install a Java 17 runtime and Maven")
    with locks.exclusive(folder / "lock", "fetches Groovy"):
        if not target.exists():
            _fetch(folder, target)
    return target


def run(script: Path, arguments: Sequence[Path]) -> str:
    """Run a Groovy script. Returns what it prints.

    Raises:
        ToolError: see ``jar``; or the script failed.
    """
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", str(jar()), "groovy.ui.GroovyMain", str(script)]
    command += [str(argument) for argument in arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)  # noqa: S603 - ours
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["it printed nothing"])[0]
        raise ToolError(f"{script.name} failed with exit code {done.returncode}: {said}")
    return done.stdout


def missing_programs() -> list[str]:
    """Which of Java and Maven are not on PATH."""
    return [name for name in ("java", "mvn") if shutil.which(name) is None]


def _fetch(folder: Path, target: Path) -> None:
    scratch = folder / ".partial"
    shutil.rmtree(scratch, ignore_errors=True)
    command = ["mvn", "--batch-mode", "-q", PLUGIN, f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={scratch}"]
    console.run("fetching Groovy for the Jenkinsfile", command)
    file = scratch / target.name
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != SHA256:
        raise ToolError(f"{ARTIFACT} has SHA-256 {found}, expected {SHA256}: it was not used")
    file.rename(target)
    shutil.rmtree(scratch, ignore_errors=True)
