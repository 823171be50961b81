"""The Pulumi CLI built from its Go modules, where the download can't be reached.

The modules are pinned with their hashes by ``pulumi-cli/go.mod`` and ``go.sum``. The official Python host is a module
that is not published, so it can't be built; ``standin`` lies in its place.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from . import console
from .project import PULUMI_VERSION, ROOT, ToolError

MODULE = ROOT / "tools" / "pulumi-cli"
PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
GO_VERSION = "1.21"  # from here on Go fetches by itself the newer toolchain that go.mod asks for
TAGS = "osusergo,grpcnotrace"  # as in the official release
VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"


def build(target: Path) -> None:
    """Put an executable ``pulumi`` into the folder. Takes about four minutes on two cores, the download included.

    Raises:
        ToolError: no Go, an unreachable module proxy, or a build that failed.
    """
    go = find_go()
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    console.say(f"tools: building the Pulumi CLI {PULUMI_VERSION} from its Go modules, once per user (about 4 minutes)")
    packages = console.run(
        "downloading the Go modules of the Pulumi CLI",
        [go, "list", "-deps", "-tags", TAGS, PACKAGE],
        cwd=MODULE,
        env=environment,
        progress=lambda lines: f"{lines} modules, ",
    )
    total = sum(1 for line in packages if not line.startswith("go: "))
    flags = ["-trimpath", "-tags", TAGS, "-ldflags", f"-w -s -X {VERSION_VARIABLE}={PULUMI_VERSION}"]
    console.run(
        "building the Pulumi CLI",
        [go, "build", "-v", *flags, "-o", target / "pulumi", PACKAGE],
        cwd=MODULE,
        env=environment,
        progress=lambda lines: f"{min(lines, total)} of {total} packages, ",
    )


def find_go() -> str:
    """The Go command.

    Raises:
        ToolError: when there is none, or one too old to fetch the toolchain that is needed.
    """
    go = shutil.which("go")
    if go is None:
        raise ToolError("no go command on PATH")
    line = " ".join(console.run("asking Go for its version", [go, "version"]))
    found = re.search(r"go(\d+)\.(\d+)", line)
    wanted = tuple(int(part) for part in GO_VERSION.split("."))
    if found is None or (int(found[1]), int(found[2])) < wanted:
        raise ToolError(f"{go} says '{line}', expected Go {GO_VERSION} or newer")
    return go
