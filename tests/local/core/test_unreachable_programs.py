"""A checkout that the unprivileged user can't enter, such as a clone under /root."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from local.rds import binaries


@pytest.mark.skipif(os.getuid() != 0, reason="only root runs PostgreSQL as another user")
def test_programs_that_the_user_cannot_reach_run_from_a_copy(tmp_path):
    real = binaries.distributions()[0]
    package = real.root.parent
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    copied = closed / package.name / real.root.name
    shutil.copytree(real.root, copied, ignore=shutil.ignore_patterns("include", "*.a", "pgxs"))
    libraries = package.with_name(f"{package.name}.libs")
    shutil.copytree(libraries, closed / libraries.name)

    user = binaries.unprivileged()
    assert not binaries.reachable(copied / "bin", user)
    places = binaries.Places(closed / "rds")
    try:
        programs = places.programs(binaries.Distribution(version=real.version, root=copied), user)
        assert binaries.reachable(programs, user)
        asked = subprocess.run(
            [programs / "initdb", "--version"],
            user=user.uid, group=user.gid, extra_groups=[], cwd="/", env={}, capture_output=True, text=True,
        )  # fmt: skip
        assert (asked.returncode, asked.stderr) == (0, "")
    finally:
        places.remove()
    assert not Path(programs).exists()
