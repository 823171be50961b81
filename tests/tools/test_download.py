from __future__ import annotations

import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator

import pytest

from tools import download
from tools.project import PULUMI_VERSION, ToolError

SUMS = f"/pulumi-{PULUMI_VERSION}-checksums.txt"
ARCHIVE = "/" + download.archive_name("linux", "x64")


class Release:
    """A release server on loopback: path to what it answers."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def publish(self, archive: bytes, *, digest: str | None = None) -> None:
        self.files[ARCHIVE] = archive
        digest = digest or hashlib.sha256(archive).hexdigest()
        self.files[SUMS] = f"{'0' * 64}  another.tar.gz\n{digest}  {ARCHIVE[1:]}\n".encode()


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> Iterator[Release]:
    found = Release()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = found.files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    monkeypatch.setattr(download, "RELEASES", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(download, "machine", lambda: ("linux", "x64"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(name), 0o755
            tar.addfile(info, io.BytesIO(name.encode()))
    return buffer.getvalue()


def test_the_release_is_unpacked_without_its_folder(release, tmp_path):
    release.publish(archive("pulumi/pulumi", "pulumi/pulumi-language-python"))
    download.fetch(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pulumi", "pulumi-language-python"]
    assert (tmp_path / "pulumi").read_text() == "pulumi/pulumi"
    assert (tmp_path / "pulumi").stat().st_mode & 0o111


def test_another_content_than_published_is_refused_and_removed(release, tmp_path):
    content = archive("pulumi/pulumi")
    release.publish(content, digest="ab" * 32)
    with pytest.raises(ToolError) as caught:
        download.fetch(tmp_path)
    assert f"has SHA-256 {hashlib.sha256(content).hexdigest()}, expected {'ab' * 32}" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_release_without_this_platform_is_named(release, tmp_path):
    release.files[SUMS] = b""
    with pytest.raises(ToolError, match=f"do not name {ARCHIVE[1:]}"):
        download.fetch(tmp_path)


def test_a_release_that_does_not_exist_is_named(release, tmp_path):
    assert release.files == {}
    with pytest.raises(ToolError, match=f"{SUMS} answers 404 Not Found"):
        download.fetch(tmp_path)


def test_an_unreachable_server_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(download, "RELEASES", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(ToolError, match=r"can't be reached \(\[Errno 111\] Connection refused\)"):
        download.fetch(tmp_path)


@pytest.mark.parametrize("content", [b"no archive", archive("other/pulumi"), archive("../pulumi")])
def test_an_archive_that_is_something_else_is_refused(release, tmp_path, content):
    release.publish(content)
    with pytest.raises(ToolError, match=r"does not unpack|holds no folder pulumi/"):
        download.fetch(tmp_path)
    assert not (tmp_path.parent / "pulumi").exists()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("AB12  file.tar.gz", {"file.tar.gz": "ab12"}),
        ("ab12 *file.tar.gz", {"file.tar.gz": "ab12"}),
        ("", {}),
        ("garbage", {}),
    ],
)
def test_checksum_lines(line, found):
    assert download.checksums(line) == found
