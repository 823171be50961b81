from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tools import cli
from tools.project import PULUMI_VERSION, ROOT, ToolError

FAKE = f'case "$1" in version) echo v{PULUMI_VERSION} ;; esac'


def fill(folder: Path) -> None:
    """What a way to get the CLI does: put an executable into the folder."""
    executable = folder / "pulumi"
    executable.write_text(f"#!/bin/sh\n{FAKE}\n")
    executable.chmod(0o755)


def refuse(_: Path) -> None:
    raise ToolError("not today")


@pytest.mark.parametrize(
    ("version", "enough"),
    [
        (PULUMI_VERSION, True),
        (f"v{PULUMI_VERSION}", True),
        ("3.274.2", True),
        ("3.1000.0", True),
        ("3.274.0", False),
        ("3.99.99", False),
        ("4.0.0", False),
        ("2.999.0", False),
        (f"{PULUMI_VERSION}-alpha.1", False),
        ("3.275.0-alpha.1", True),
        ("3.275.0+dirty", True),
        ("latest", False),
        ("", False),
    ],
)
def test_versions_are_compared_as_numbers(version, enough):
    assert cli.new_enough(version) is enough


def test_a_cli_on_path_with_its_host_is_used_and_nothing_is_made(programs, cache_home):
    programs.add("pulumi", FAKE)
    programs.add(cli.HOST, "exit 0")
    found, made = cli.ensure()
    assert (found.path, found.version, found.origin, made) == (
        programs.folder / "pulumi",
        PULUMI_VERSION,
        "PATH",
        False,
    )
    assert not cache_home.exists()


@pytest.mark.parametrize(
    ("script", "host", "says"),
    [
        ("echo v3.1.0", True, "is 3.1.0"),
        (FAKE, False, f"has no {cli.HOST} beside it"),
        ("exit 3", True, "does not answer `pulumi version`"),
        ("echo something else", True, "does not answer `pulumi version`"),
    ],
)
@pytest.mark.usefixtures("cache_home")
def test_a_cli_on_path_that_will_not_do_is_named(programs, monkeypatch, script, host, says):
    programs.add("pulumi", script)
    if host:
        programs.add(cli.HOST, "exit 0")
    monkeypatch.setattr(cli, "sources", lambda: [("download", refuse)])
    with pytest.raises(ToolError) as caught:
        cli.ensure()
    assert says in str(caught.value)


def test_the_host_of_a_cli_is_looked_for_where_its_link_points(programs, tmp_path):
    real = tmp_path / "opt"
    real.mkdir()
    for name in ("pulumi", cli.HOST):
        programs.add(name, FAKE).rename(real / name)
    (programs.folder / "pulumi").symlink_to(real / "pulumi")
    found = cli.on_path()
    assert found is not None
    assert found.path == programs.folder / "pulumi"


@pytest.mark.usefixtures("programs")
def test_the_download_comes_before_the_build(cache_home, monkeypatch):
    monkeypatch.setattr(cli, "sources", lambda: [("download", fill), ("build", refuse)])
    found, made = cli.ensure()
    assert (found.path, found.origin, made) == (cache_home / "pulumi" / PULUMI_VERSION / "pulumi", "cache", True)


@pytest.mark.usefixtures("programs")
def test_the_build_follows_a_failed_download(cache_home, monkeypatch, capsys):
    monkeypatch.setattr(cli, "sources", lambda: [("download", refuse), ("build", fill)])
    found, _ = cli.ensure()
    assert found.path.is_relative_to(cache_home)
    assert "download: not today" in capsys.readouterr().out


def test_the_real_order_is_download_then_build():
    assert [name for name, _ in cli.sources()] == ["download", "build from Go modules"]


@pytest.mark.usefixtures("programs")
def test_when_each_way_fails_one_line_says_how_and_what_to_install(cache_home, monkeypatch):
    monkeypatch.setattr(cli, "sources", lambda: [("download", refuse), ("build", refuse)])
    with pytest.raises(ToolError) as caught:
        cli.ensure()
    message = str(caught.value)
    assert "\n" not in message
    for part in ("on PATH: none", "download: not today", "build: not today", cli.INSTALL, "Go 1."):
        assert part in message
    assert [path.name for path in (cache_home / "pulumi").iterdir()] == ["lock"]


@pytest.mark.usefixtures("programs")
def test_a_second_call_finds_the_cached_one(cache_home, monkeypatch):
    monkeypatch.setattr(cli, "sources", lambda: [("build", fill)])
    first, _ = cli.ensure()
    monkeypatch.setattr(cli, "sources", lambda: [("build", refuse)])
    assert cli.ensure() == (first, False)
    assert cli.path() == first.path
    assert cache_home in first.path.parents


@pytest.mark.usefixtures("programs", "cache_home")
def test_what_was_made_must_answer_with_the_pinned_version(monkeypatch):
    def other(folder: Path) -> None:
        fill(folder)
        (folder / "pulumi").write_text("#!/bin/sh\necho v3.0.0\n")

    monkeypatch.setattr(cli, "sources", lambda: [("build", other)])
    with pytest.raises(ToolError, match=r"answers `pulumi version` with 3\.0\.0"):
        cli.ensure()
    assert cli.in_cache() is None


@pytest.mark.usefixtures("programs", "cache_home")
def test_before_anything_is_made_the_path_asks_for_make_tools():
    with pytest.raises(ToolError, match="run `make tools`"):
        cli.path()


def test_a_killed_build_leaves_nothing_half_and_the_next_one_starts_clean(programs, cache_home, monkeypatch):
    programs.add("nothing", "exit 0")
    script = textwrap.dedent("""
        import sys
        from tools import cli

        def half(folder):
            (folder / "pulumi").write_text("half")
            (folder / "pulumi").chmod(0o755)
            print("half", flush=True)
            sys.stdin.read()

        cli.sources = lambda: [("build", half)]
        cli.ensure()
    """)
    builder = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ)
    )
    with builder:
        assert builder.stdout is not None
        assert builder.stdout.readline() == b"half\n"
        assert cli.in_cache() is None
        builder.send_signal(signal.SIGKILL)
    assert cli.in_cache() is None
    monkeypatch.setattr(cli, "sources", lambda: [("build", fill)])
    found, made = cli.ensure()
    assert made
    assert cli.version_of(found.path) == PULUMI_VERSION
    assert sorted(path.name for path in (cache_home / "pulumi").iterdir()) == [PULUMI_VERSION, "lock"]


def test_two_at_once_build_once(programs, cache_home, tmp_path):
    programs.add("nothing", "exit 0")
    script = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        from tools import cli
        sys.path.insert(0, {str(Path(__file__).parent)!r})

        def fill(folder):
            with Path({str(tmp_path / "built")!r}).open("a") as file:
                file.write("x")
            executable = folder / "pulumi"
            executable.write_text({f"#!/bin/sh{os.linesep}{FAKE}{os.linesep}"!r})
            executable.chmod(0o755)

        cli.sources = lambda: [("build", fill)]
        print(cli.ensure()[0].path)
    """)
    command = [sys.executable, "-c", script]
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate()[0].splitlines()[-1] for process in both]
    assert answers == [str(cache_home / "pulumi" / PULUMI_VERSION / "pulumi")] * 2
    assert (tmp_path / "built").read_text() == "x"
