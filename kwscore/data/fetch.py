"""Fetches the official Speech Commands archives: asks for room first, resumes, verifies, unpacks safely.

Speech Commands v0.02, P. Warden, arXiv:1804.03209, CC BY 4.0. The addresses are those of the paper and of the data
set's own README. An interrupted download leaves ``ARCHIVE.part`` and what is known of it; the next one goes on there.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import ssl
import tarfile
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import kwscore
from kwscore.errors import KWScopeError

CHUNK = 1 << 18
TIMEOUT = 30.0
"""Seconds without a byte before a connection counts as lost."""
TRIES = 6
"""Connections in a row that may bring nothing before giving up."""
PAUSE = 2.0
"""Seconds before the second try; doubled before each further one."""
SPARE = 200_000_000
"""Bytes that stay free."""


@dataclass(frozen=True, slots=True)
class Archive:
    """``size`` and ``unpacked`` in bytes (0: unknown), ``sha256`` hex (empty: unknown); it unpacks to ``folder``."""

    url: str
    folder: str
    size: int = 0
    unpacked: int = 0
    sha256: str = ""


ARCHIVES = {
    "all": Archive(
        "http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
        "speech_commands_v0.02",
        2_428_923_189,
        3_900_000_000,  # 105,829 clips in blocks of 4 KiB, and the background files
        "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
    ),
    "test": Archive(
        "http://download.tensorflow.org/data/speech_commands_test_set_v0.02.tar.gz",
        "speech_commands_test_set_v0.02",
        112_563_277,
        180_000_000,
        "cc2a00c1147c2254e9be3fa0f779d8c17421dc349b86366567a8edfa9acd51df",
    ),
}
"""The whole data set; and the official 4,890 test clips in 12 classes."""

Progress = Callable[[str, int, int], None]
"""Told ("download", "check" or "unpack"; bytes done; bytes in all, 0 where unknown)."""
Say = Callable[[str], None]


def room(archive: Archive, dest: Path) -> tuple[int, int]:
    """Bytes that fetching into ``dest`` still needs, and bytes that are free there."""
    place = next(p for p in (dest.absolute(), *dest.absolute().parents) if p.exists())
    there = max(
        (p.stat().st_size for p in (archive_path(archive, dest), _partial(archive, dest)) if p.exists()), default=0
    )
    return max(0, archive.size - there) + archive.unpacked + SPARE, shutil.disk_usage(place).free


def archive_path(archive: Archive, dest: Path) -> Path:
    """Where the archive lies once it is complete."""
    return dest / PurePosixPath(archive.url).name


def _partial(archive: Archive, dest: Path) -> Path:
    path = archive_path(archive, dest)
    return path.with_name(path.name + ".part")


def fetch(
    archive: Archive,
    dest: Path,
    progress: Progress = lambda what, done, total: None,
    say: Say = lambda _: None,
    keep: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Path:
    """Download (or go on), verify and unpack into ``dest / archive.folder``; returns that folder.

    Nothing is done where the folder is complete. ``keep`` leaves the archive. Raises KWScopeError where there is no
    room, the server refuses or stays away, the checksum is wrong (the file is removed) or the archive is damaged.
    """
    folder = dest / archive.folder
    if folder.is_dir():
        say(f"{folder} is there already; 'kwscope data check {folder}' verifies it.")
        return folder
    needed, free = room(archive, dest)
    if free < needed:
        raise KWScopeError(
            f"{dest} has {free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB are needed: make room or give another folder."
        )
    path = archive_path(archive, dest)
    try:
        dest.mkdir(parents=True, exist_ok=True)
        if not path.is_file():
            _download(archive, dest, progress, say, sleep)
        _verify(archive, path, progress)
        _unpack(path, folder, progress)
        if not keep:
            path.unlink()
    except tarfile.TarError as error:
        raise KWScopeError(f"{path} is damaged ({error}): remove it and fetch again.") from None
    except OSError as error:
        raise KWScopeError(
            f"{error.filename or dest} cannot be written ({error.strerror or error}): make room or give another "
            "folder, and run again; what has arrived is kept."
        ) from None
    return folder


# download ------------------------------------------------------------------------------------------------------------
def _download(archive: Archive, dest: Path, progress: Progress, say: Say, sleep: Callable[[float], None]) -> None:
    path, partial = archive_path(archive, dest), _partial(archive, dest)
    lost, pause = 0, PAUSE
    while True:
        before = partial.stat().st_size if partial.exists() else 0
        try:
            if _transfer(archive, partial, progress):
                break
            reason = "the connection ended early"
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code not in (408, 429):
                raise KWScopeError(
                    f"{archive.url} cannot be fetched: the server says {error.code} {error.reason}."
                ) from None
            reason = f"the server says {error.code} {error.reason}"
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
            reason = str(getattr(error, "reason", "") or error or type(error).__name__)
        if partial.exists() and partial.stat().st_size > before:
            lost, pause = 0, PAUSE
        lost += 1
        if lost >= TRIES:
            raise KWScopeError(
                f"{archive.url} cannot be fetched ({reason}): check the connection and run again; "
                "what has arrived is kept."
            )
        say(f"{reason}; trying again in {pause:g} s")
        sleep(pause)
        pause *= 2
    os.replace(partial, path)
    _facts_path(partial).unlink(missing_ok=True)


def _facts_path(partial: Path) -> Path:
    return partial.with_name(partial.name + ".json")


def _facts(partial: Path, url: str) -> dict[str, Any]:
    """What is known of a partial download; empty where it is not from this address."""
    try:
        facts = json.loads(_facts_path(partial).read_text(encoding="utf-8"))
        return facts if isinstance(facts, dict) and facts.get("url") == url else {}
    except (OSError, ValueError):
        return {}


def _transfer(archive: Archive, partial: Path, progress: Progress) -> bool:
    """One connection; True when the file is complete."""
    facts = _facts(partial, archive.url)
    have = partial.stat().st_size if partial.exists() and facts.get("validator") else 0
    total = int(facts.get("total", 0))
    if have and have == total:
        return True
    request = urllib.request.Request(archive.url, headers={"User-Agent": f"kwscope/{kwscore.__version__}"})
    if have:
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", str(facts["validator"]))  # another file there: the server sends all of it
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        partial.unlink(missing_ok=True)  # longer than the file there: begin anew
        return False
    with response:
        start = have if response.status == 206 else 0
        if start and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise http.client.HTTPException("the server sent another range than was asked for")
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else 0
        etag = response.headers.get("ETag", "")
        validator = response.headers.get("Last-Modified", "") if etag.startswith("W/") or not etag else etag
        note = json.dumps({"url": archive.url, "validator": validator, "total": total})
        with partial.open("r+b" if start else "wb") as file:
            file.seek(start)
            _facts_path(partial).write_text(note, encoding="utf-8")
            done = _copy(response, file, start, total, progress)
    return done == total if total else True


def _copy(response: Any, file: BinaryIO, done: int, total: int, progress: Progress) -> int:
    try:
        while block := response.read(CHUNK):
            file.write(block)
            done += len(block)
            progress("download", done, total)
    finally:
        file.flush()
    return done


# verify and unpack ---------------------------------------------------------------------------------------------------
def _verify(archive: Archive, path: Path, progress: Progress) -> None:
    size = path.stat().st_size
    digest, done = hashlib.sha256(), 0
    if archive.sha256:
        with path.open("rb") as file:
            while block := file.read(CHUNK):
                digest.update(block)
                done += len(block)
                progress("check", done, size)
        if digest.hexdigest() != archive.sha256:
            path.unlink()
            raise KWScopeError(
                f"{path.name} from {archive.url} is not the official archive: its SHA-256 is {digest.hexdigest()}, "
                f"not {archive.sha256}. It was removed; fetch it again."
            )


def _unpack(path: Path, folder: Path, progress: Progress) -> None:
    """Into a folder beside, renamed when complete: a half-unpacked corpus is never taken for a whole one."""
    beside = folder.with_name(folder.name + ".part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    size = path.stat().st_size
    try:
        with path.open("rb") as raw, tarfile.open(fileobj=raw, mode="r:*") as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                if name.is_absolute() or ".." in name.parts or not (member.isfile() or member.isdir()):
                    raise KWScopeError(
                        f"{path} holds {member.name!r}, which would leave its folder: it is not unpacked."
                    )
                target = beside / name
                if member.isdir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                source = tar.extractfile(member)
                assert source is not None  # a file
                with target.open("wb") as out:
                    shutil.copyfileobj(source, out, CHUNK)
                progress("unpack", raw.tell(), size)
        os.replace(beside, folder)
    except (EOFError, OSError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise KWScopeError(f"{path} is damaged ({error}): remove it and fetch again.") from None  # gzip's own errors
    finally:
        with suppress(OSError):
            shutil.rmtree(beside, ignore_errors=True)
