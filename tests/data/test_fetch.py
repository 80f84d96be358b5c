from __future__ import annotations

import hashlib
import io
import re
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kwscore.data import fetch as fetching
from kwscore.data.fetch import ARCHIVES, Archive, archive_path, fetch, room
from kwscore.errors import KWScopeError


class Server:
    """Serves ``content`` with ranges; ``cut`` bytes into an answer it hangs up, once per entry of ``cuts``."""

    def __init__(self, content: bytes) -> None:
        self.content, self.etag = content, '"one"'
        self.cuts: list[int] = []
        self.status: list[int] = []
        self.ranges = True
        self.asked: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = self.headers.get("Range")
                outer.asked.append(asked)
                if outer.status:
                    self.send_error(outer.status.pop(0))
                    return
                start = 0
                fits = self.headers.get("If-Range") in (None, outer.etag)
                if asked and outer.ranges and fits:
                    start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])  # type: ignore[index]
                    if start >= len(outer.content):
                        self.send_error(416)
                        return
                body = outer.content[start:]
                self.send_response(206 if start else 200)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(outer.content) - 1}/{len(outer.content)}")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("ETag", outer.etag)
                self.end_headers()
                self.wfile.write(body[: outer.cuts.pop(0)] if outer.cuts else body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/corpus.tar.gz"


def _tar(names: dict[str, bytes], kind: bytes = tarfile.REGTYPE) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in names.items():
            member = tarfile.TarInfo(name)
            member.size, member.type, member.linkname = len(content), kind, "/etc/passwd"
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


FILES = {f"./yes/{i}.wav": np.random.default_rng(i).bytes(20_000) for i in range(20)} | {"./README.md": b"words"}


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(_tar(FILES))
    yield made
    made.http.shutdown()
    made.http.server_close()


def _archive(server: Server) -> Archive:
    return Archive(server.url, "corpus", len(server.content), 400_000, hashlib.sha256(server.content).hexdigest())


def _complete(folder: Path) -> bool:
    return all((folder / name).read_bytes() == content for name, content in FILES.items())


def test_the_official_archives_are_named_with_size_and_checksum() -> None:
    for archive in ARCHIVES.values():
        assert archive.url.startswith("http://download.tensorflow.org/data/speech_commands_")
        assert archive.size > 10**8
        assert re.fullmatch("[0-9a-f]{64}", archive.sha256)


def test_fetch_leaves_the_folder_and_nothing_else(server: Server, tmp_path: Path) -> None:
    seen: dict[str, tuple[int, int]] = {}
    folder = fetch(_archive(server), tmp_path, lambda what, done, total: seen.update({what: (done, total)}))
    assert _complete(folder)
    assert [p.name for p in tmp_path.iterdir()] == ["corpus"]
    assert seen["download"] == seen["check"] == (len(server.content), len(server.content))
    assert "unpack" in seen
    said: list[str] = []
    assert fetch(_archive(server), tmp_path, say=said.append) == folder
    assert len(server.asked) == 1
    assert "there already" in said[0]


def test_lost_connections_are_taken_up_where_they_broke(server: Server, tmp_path: Path) -> None:
    server.cuts = [100_000, 60_000, 0, 1]
    pauses: list[float] = []
    folder = fetch(_archive(server), tmp_path, sleep=pauses.append)
    assert _complete(folder)
    assert server.asked == [None, "bytes=100000-", "bytes=160000-", "bytes=160000-", "bytes=160001-"]
    assert pauses == [2.0, 2.0, 4.0, 2.0]


def test_a_killed_download_goes_on_in_the_next_run(server: Server, tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def stop(what: str, done: int, total: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        fetch(_archive(server), tmp_path, stop)
    have = (tmp_path / "corpus.tar.gz.part").stat().st_size
    assert have > 0
    assert _complete(fetch(_archive(server), tmp_path))
    assert server.asked[-1] == f"bytes={have}-"


@pytest.mark.parametrize("how", ["changed", "no ranges"])
def test_another_file_there_is_fetched_whole(server: Server, tmp_path: Path, how: str) -> None:
    archive = _archive(server)
    (tmp_path / "corpus.tar.gz.part").write_bytes(b"of another file" * 100)
    (tmp_path / "corpus.tar.gz.part.json").write_text(
        f'{{"url": "{server.url}", "validator": "\\"{"zero" if how == "changed" else "one"}\\"", "total": 99999}}'
    )
    server.ranges = how == "changed"
    assert _complete(fetch(archive, tmp_path))


def test_a_part_of_unknown_origin_is_not_trusted(server: Server, tmp_path: Path) -> None:
    (tmp_path / "corpus.tar.gz.part").write_bytes(b"?" * 1000)
    assert _complete(fetch(_archive(server), tmp_path))
    assert server.asked == [None]


def test_a_wrong_checksum_removes_the_file(server: Server, tmp_path: Path) -> None:
    with pytest.raises(KWScopeError, match="not the official archive"):
        fetch(replace(_archive(server), sha256="0" * 64), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_busy_server_is_asked_again_a_missing_file_is_not(server: Server, tmp_path: Path) -> None:
    server.status = [503, 429]
    said: list[str] = []
    assert _complete(fetch(_archive(server), tmp_path / "a", say=said.append, sleep=lambda s: None))
    assert "503" in said[0]
    server.status = [404]
    with pytest.raises(KWScopeError, match="404"):
        fetch(_archive(server), tmp_path / "b", sleep=lambda s: None)


def test_a_server_that_stays_away_is_a_sentence(server: Server, tmp_path: Path) -> None:
    server.cuts = [50_000] + [0] * 20
    with pytest.raises(KWScopeError, match="what has arrived is kept"):
        fetch(_archive(server), tmp_path, sleep=lambda s: None)
    assert (tmp_path / "corpus.tar.gz.part").stat().st_size == 50_000
    server.cuts = []
    assert _complete(fetch(_archive(server), tmp_path))


def test_room_is_asked_first(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = _archive(server)
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda _: SimpleNamespace(free=10**6))
    with pytest.raises(KWScopeError, match=r"0\.0 GB free, 0\.2 GB are needed"):
        fetch(archive, tmp_path / "new")
    assert server.asked == []
    assert not (tmp_path / "new").exists()
    needed = room(archive, tmp_path)[0]
    (tmp_path / "corpus.tar.gz.part").write_bytes(bytes(1000))
    assert room(archive, tmp_path)[0] == needed - 1000


@pytest.mark.parametrize("name", ["../outside.wav", "{here}/outside.wav", "yes/../../outside.wav"])
def test_an_archive_that_leaves_its_folder_is_refused(server: Server, tmp_path: Path, name: str) -> None:
    server.content = _tar({"yes/a.wav": b"a", name.format(here=tmp_path): b"b"})
    with pytest.raises(KWScopeError, match="would leave its folder"):
        fetch(_archive(server), tmp_path / "data")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["corpus.tar.gz", "data"]


def test_links_are_refused(server: Server, tmp_path: Path) -> None:
    server.content = _tar({"yes": b""}, tarfile.SYMTYPE)
    with pytest.raises(KWScopeError, match="would leave its folder"):
        fetch(_archive(server), tmp_path)


def test_a_damaged_archive_leaves_no_folder(server: Server, tmp_path: Path) -> None:
    server.content = server.content[: len(server.content) // 2]
    with pytest.raises(KWScopeError, match="damaged"):
        fetch(_archive(server), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["corpus.tar.gz"]


def test_a_full_disk_keeps_what_has_arrived(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = fetching._copy

    def full(response: object, file: io.BufferedWriter, done: int, *rest: object) -> int:
        file.write(response.read(70_000))  # type: ignore[attr-defined]
        raise OSError(28, "No space left on device", str(archive_path(_archive(server), tmp_path)))

    monkeypatch.setattr(fetching, "_copy", full)
    with pytest.raises(KWScopeError, match=r"No space left.*what has arrived is kept"):
        fetch(_archive(server), tmp_path)
    monkeypatch.setattr(fetching, "_copy", copy)
    assert _complete(fetch(_archive(server), tmp_path))
    assert server.asked[-1] == "bytes=70000-"
