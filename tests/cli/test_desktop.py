"""``kwscope install-desktop``: a valid entry that starts this installation, icons of every size, and gone again."""

from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kwscore.cli import desktop
from kwscore.errors import KWScopeError
from kwscore.resources import resource


def entry(folder: Path) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(folder / desktop.ENTRY, encoding="utf-8")
    return parser["Desktop Entry"]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No tools of the desktop are called."""
    monkeypatch.setattr(shutil, "which", lambda name: None)


def test_installed_and_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desktop.install_desktop(remove=False, folder=tmp_path)
    listed = {Path(line) for line in capsys.readouterr().out.splitlines()}
    assert listed == {path for path in tmp_path.rglob("*") if path.is_file()}
    made = entry(tmp_path)
    program = shlex.split(made["Exec"])
    assert Path(program[0]).is_file()
    assert made["Icon"] == "kwscope"
    assert (tmp_path / desktop.SCALABLE).read_bytes() == resource("assets", "icon.svg").read_bytes()
    assert len(list(tmp_path.rglob("kwscope.png"))) == 8
    desktop.install_desktop(remove=True, folder=tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    desktop.install_desktop(remove=True, folder=tmp_path)  # twice is no error


def test_the_entry_is_valid(tmp_path: Path) -> None:
    made = entry_of_assets()
    for key in ("Type", "Name", "Comment", "Exec", "Icon", "Terminal", "Categories"):
        assert made[key], key
    assert made["Categories"].endswith(";")
    assert made["StartupWMClass"] == "kwscope"


def entry_of_assets() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(resource("assets", "kwscope.desktop"), encoding="utf-8")
    return parser["Desktop Entry"]


def test_the_data_home_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert desktop.data_home() == tmp_path
    monkeypatch.delenv("XDG_DATA_HOME")
    assert desktop.data_home() == Path.home() / ".local" / "share"


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("/usr/bin/kwscope", "/usr/bin/kwscope"),
        ("/opt/my tools/kwscope", '"/opt/my tools/kwscope"'),
        ("/odd/100%/kwscope", "/odd/100%%/kwscope"),
        ('/a"b', '"/a\\\\"b"'),
        ("/a$b", '"/a\\\\$b"'),
    ],
)
def test_quoting_of_the_command(word: str, written: str) -> None:
    assert desktop._quoted(word) == written


def test_without_a_script_the_module_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert desktop.command_line() == f"{tmp_path / 'python'} -m kwscore"


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KWScopeError, match="give another --folder"):
        desktop.install_desktop(remove=False, folder=tmp_path / "file")


def test_elsewhere_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(KWScopeError, match="make a shortcut"):
        desktop.install_desktop(remove=False, folder=None)


def test_the_validator_agrees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    tool = shutil.which("desktop-file-validate")
    if tool is None:
        pytest.skip("desktop-file-validate is not installed")
    done = subprocess.run([tool, str(resource("assets", "kwscope.desktop"))], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
