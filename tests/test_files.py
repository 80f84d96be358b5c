"""A file is there whole or not at all, and trouble is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from kwscore.errors import KWScopeError
from kwscore.files import beside, make_folder, writing


def test_the_file_is_there_when_all_of_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with writing(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("manager", [beside, writing])
def test_what_fails_half_way_leaves_the_old_file_and_no_part(tmp_path: Path, manager) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with manager(path) as part:
            part.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_trouble_names_file_reason_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "none" / "a.txt"
    with pytest.raises(KWScopeError) as caught, writing(path, "make room") as part:
        part.write_text("x")
    assert str(caught.value) == f"{path} cannot be written (No such file or directory): make room."
    (tmp_path / "taken").mkdir()
    said = r"taken cannot be written \(.*\): choose another folder\."
    with pytest.raises(KWScopeError, match=said), writing(tmp_path / "taken") as part:
        part.write_text("x")
    assert [each.name for each in tmp_path.iterdir()] == ["taken"]
    with pytest.raises(OSError, match="directory"), beside(path) as part:
        part.write_text("x")


def test_missing_folders_are_made_where_that_is_wanted(tmp_path: Path) -> None:
    with writing(tmp_path / "a" / "b" / "c.txt", parents=True) as part:
        part.write_text("x")
    make_folder(tmp_path / "d" / "e")
    make_folder(tmp_path / "d" / "e")
    assert (tmp_path / "d" / "e").is_dir()
    blocked = tmp_path / "a" / "b" / "c.txt" / "d"
    with pytest.raises(KWScopeError, match=r"The folder .*d cannot be made \(.*\): choose another with --out\."):
        make_folder(blocked, "choose another with --out")
    with pytest.raises(KWScopeError, match="cannot be written"), writing(blocked / "e", parents=True) as part:
        part.write_text("x")
