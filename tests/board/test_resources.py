"""Synthesis reports: read where they are, left out where they are none."""

from __future__ import annotations

import json
from pathlib import Path

from kwscore.board.resources import Resources, read_resources

GOOD = {"top": "nm_core", "sources": "x", "lut": 2350, "ff": 873, "dsp": 3, "ramb36": 17.0, "logic_ns": 6.459}


def test_the_largest_design_comes_first_and_no_report_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "nm_core.json").write_text(json.dumps(GOOD))
    (tmp_path / "arty_top.json").write_text(json.dumps({**GOOD, "top": "arty_top", "lut": 2900}))
    (tmp_path / "other.json").write_text("{}")
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "list.json").write_text("[1]")
    found = read_resources(tmp_path)
    assert [each.top for each in found] == ["arty_top", "nm_core"]
    assert found[1] == Resources("nm_core", 2350, 873, 3, 17.0, 6.459)
    assert read_resources(tmp_path / "nowhere") == []
