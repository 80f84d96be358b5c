"""``kwscope board`` and ``listen --board`` on the virtual board, and every sentence they refuse with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kwscore.audio.file import read_audio
from kwscore.board import selftest as tested
from kwscore.board import verilated
from kwscore.board.golden import GoldenCore
from kwscore.board.protocol import DEFAULT_BAUD, Info
from kwscore.board.sources import build_id
from kwscore.cli import board, common
from kwscore.cli.common import numbers
from kwscore.cli.main import app
from kwscore.fixed.engine import FixedEngine
from kwscore.fixed.image import Image

DUAL = "NanoMamba-Tiny-DualPCEN"
pytestmark = pytest.mark.timeout(900)  # a cold cache on a slow machine


def kwscope(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["board", *map(str, arguments)])


def refused(result: Result, words: str) -> None:
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.splitlines()[-1].startswith("kwscope: ")
    assert "Traceback" not in result.stderr


def test_the_rate_is_the_protocols() -> None:
    assert common.DEFAULT_BAUD == DEFAULT_BAUD


def test_list_names_the_virtual_boards_first() -> None:
    result = kwscope("list", "--json")
    assert result.exit_code == 0, result.stderr
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [entry["board"] for entry in told[:2]] == ["sim", "rtl"]
    assert all(entry["kind"] in ("virtual", "board", "port") for entry in told)
    assert "sim" in kwscope("list").stdout


def test_list_says_what_rtl_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verilated, "missing_tools", lambda: ["verilator"])
    assert "needs verilator" in kwscope("list").stdout


def test_info() -> None:
    told = json.loads(kwscope("info", "sim", "--json").stdout)
    assert (told["kind"], told["protocol"], told["model_id"], told["frames_under_way"]) == ("SIM", 1, None, 6)
    assert told["sizes"]["channels"] == 24
    assert told["stats"]["crc_errors"] == 0
    assert (told["counts_cycles"], told["takes_features"]) == (False, True)
    assert told["build"] is told["clock_hz"] is None, "a program has neither"
    assert json.loads(kwscope("info", "SIM", "--json").stdout)["kind"] == "SIM"
    assert told["stats"]["max_cycles"] is None
    text = kwscope("info", "sim").stdout
    assert "12 classes" in text
    assert "logits, routing" in text


def test_load_says_what_runs(repository: Path) -> None:
    image = repository / "checkpoints_full" / f"{DUAL}.kwsf"
    told = json.loads(kwscope("load", "sim", image, "--json").stdout)
    assert told["network"] == DUAL
    assert told["bytes"] == image.stat().st_size
    assert told["model_id"] == f"{Image.load(image).model_id:08x}"
    assert told["model_id"] in kwscope("load", "sim", image).stdout


def test_selftest_of_the_virtual_board() -> None:
    result = kwscope("selftest", "sim", "--seconds", "1", "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["equal"] is True
    assert told["results"] == told["hops"] == 150
    assert told["given"] == 27
    assert told["info"]["model_id"] == f"{int(told['info']['model_id'], 16):08x}"
    text = kwscope("selftest", "sim", "--seconds", "1")
    assert text.exit_code == 0
    assert "equal to the integer engine in every field" in text.stdout
    assert "x live audio" in text.stdout
    assert "without cycle counter" in text.stdout
    assert "cycles  " not in text.stdout


def test_selftest_that_fails_is_the_answer_no(monkeypatch: pytest.MonkeyPatch) -> None:
    """A board whose results are not the engine's: here the expectation is off by one."""
    real = tested.integer_words

    def off(out: object, row: int) -> object:
        words = real(out, row)  # type: ignore[arg-type]
        return {part: array + 1 for part, array in words.items()}

    monkeypatch.setattr(tested, "integer_words", off)
    result = kwscope("selftest", "sim", "--seconds", "1")
    assert result.exit_code == 1
    assert "NOT the integer engine's" in result.stdout
    assert "logits differs in" in result.stdout
    assert "first: hop 3 of the first hops: logits" in result.stdout


def test_monitor_follows_a_file(sounds: Path) -> None:
    result = kwscope("monitor", "sim", "--source", sounds / "rate16000.wav", "--every", "0.5", "--json")
    assert result.exit_code == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(lines) >= 2
    assert lines[0]["state"] == "streaming"
    assert lines[0]["trip_ms"] > 0
    assert [lines[0][name] for name in ("link_ms", "board_ms", "worst_cycles")] == [None] * 3, "nothing counts there"
    assert "no cycle counter" not in result.stderr
    assert (lines[-1]["lost"], lines[-1]["crc_errors"]) == (0, 0)
    text = kwscope("monitor", "sim", "--source", sounds / "rate16000.wav", "--seconds", "0.5", "--every", "0.2")
    assert text.stdout.splitlines()[0].split()[:5] == ["time", "state", "hops/s", "trip", "ms"]
    assert "This board has no cycle counter" in text.stderr


def test_boards_that_cannot_be_used(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = repository / "checkpoints_full" / f"{DUAL}.kwsf"
    (tmp_path / "bad.kwsf").write_bytes(image.read_bytes()[:-1] + b"x")
    refused(kwscope("info", tmp_path / "missing"), "There is no port")
    refused(kwscope("selftest", "sim", "--baud", "115200"), "audio takes 334,000 bit/s")
    refused(kwscope("load", "sim", tmp_path / "bad.kwsf"), "CRC-32 does not match")
    refused(kwscope("load", "sim", "NanoMamba-Huge"), "No network named")
    monkeypatch.setattr(verilated, "missing_tools", lambda: ["verilator"])
    refused(kwscope("info", "rtl"), "sudo apt-get install verilator g++ make; the board sim needs neither")


def test_wrong_use() -> None:
    assert kwscope().exit_code == 2
    assert kwscope("info").exit_code == 2
    assert kwscope("selftest", "sim", "--seconds", "0").exit_code == 2


def test_listen_hears_through_a_board(sounds: Path) -> None:
    def listen(*more: str) -> list[dict]:
        arguments = ["listen", str(sounds / "rate16000.wav"), "--json", *more]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.stderr
        return [json.loads(line) for line in result.stdout.splitlines()]

    software, through = listen(), listen("--board", "sim")
    assert software[0]["board"] is None
    assert through[0]["board"]
    assert through[0]["hash"] == software[0]["hash"]
    told = [record for record in through if record["type"] == "telemetry"]
    assert [r["frame"] for r in told] == list(range(97))
    expected = FixedEngine.load(DUAL).process(read_audio(sounds / "rate16000.wav"))
    assert [r["logits"] for r in told] == [numbers(r.logits) for r in expected[:97]]
    refused(CliRunner().invoke(app, ["listen", "demo", "--board", "sim", "--baud", "115200"]), "334,000 bit/s")
    refused(CliRunner().invoke(app, ["listen", "demo", "--board", "sim", "--calibrate", "1"]), "leave it out")


def test_listen_goes_on_in_software_where_the_board_is_not_there(
    sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence, the same words as in software, exit status 0; wrong use stays wrong use."""
    expected = FixedEngine.load(DUAL).process(read_audio(sounds / "rate16000.wav"))

    def listen(name: str) -> tuple[list[dict], str]:
        arguments = ["listen", str(sounds / "rate16000.wav"), "--json", "--board", name]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.stderr
        return [json.loads(line) for line in result.stdout.splitlines()], result.stderr

    monkeypatch.setattr(verilated, "missing_tools", lambda: ["verilator"])
    for name, words in ((str(tmp_path / "missing"), "There is no port"), ("rtl", "needs verilator")):
        told, said = listen(name)
        hops = [record for record in told if record["type"] == "telemetry"]
        assert [r["logits"] for r in hops] == [numbers(r.logits) for r in expected[: len(hops)]]
        assert len(hops) >= 97
        (sentence,) = (line for line in said.splitlines() if words in line)
        assert sentence.startswith("kwscope: ")
        assert sentence.endswith("The integer engine goes on.")
        assert told[0]["board"] == (None if name == "rtl" else name)
        assert told[-1]["stood_in"] == (0 if name == "rtl" else len(hops))
        assert ("in the board's place" in said) is (name != "rtl")
    refused(CliRunner().invoke(app, ["listen", "demo", "--board", " "]), "The name of the board is empty")
    refused(CliRunner().invoke(app, ["listen", "demo", "--board", "sim", "--model", "none"]), "No network named")


def test_progress_is_told_once_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    for share in range(0, 101, 20):
        common.note_progress(f"Loading the weights: {share}% of 9,224 bytes")
    assert capsys.readouterr().err == "Loading the weights: 100% of 9,224 bytes\n"


def test_progress_stays_on_its_line_at_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    for share in (50, 100):
        common.note_progress(f"{share}% of it")
    assert capsys.readouterr().err == "\x1b[K50% of it\r\x1b[K100% of it\n"


def test_a_board_of_other_sources_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    assert board._same_build(Info(build=build_id())) is True
    assert board._same_build(Info(build=b"8 others")) is False
    assert board._same_build(Info()) is None
    real = GoldenCore.__init__

    def foreign(core: GoldenCore, *arguments: object) -> None:
        real(core, *arguments)  # type: ignore[arg-type]
        core.info = replace(core.info, build=b"8 others")

    monkeypatch.setattr(GoldenCore, "__init__", foreign)
    result = kwscope("selftest", "sim", "--seconds", "1")
    assert result.exit_code == 0
    assert "made from other sources than these" in result.stderr
    assert json.loads(kwscope("info", "sim", "--json").stdout)["same_build"] is False
