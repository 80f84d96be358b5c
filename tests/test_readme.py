"""The README says what is true: its commands exist, its library example runs, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from kwscore.cli import main as cli
from kwscore.models.checkpoint import shipped_checkpoints


@pytest.fixture(scope="module")
def readme(repository: Path) -> str:
    return (repository / "README.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_every_command_exists(readme: str) -> None:
    commands = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
    lines = [line for block in blocks(readme, "sh") for line in block.splitlines() if line.startswith("./run")]
    assert len(lines) > 5
    for line in lines:
        arguments = shlex.split(line.partition("#")[0].partition("|")[0])[1:]
        if arguments in ([], ["test"]):
            continue
        if not arguments[0].startswith("-"):
            assert arguments[0] in commands, line
            command = commands[arguments[0]]
            if hasattr(command, "commands"):
                assert arguments[1] in command.commands, line
                command = command.commands[arguments[1]]
            parameters = command.params
        else:
            parameters = typer.main.get_command(cli.app).params
        known = {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}
        for argument in arguments:
            assert not argument.startswith("-") or argument in known | {"--help"}, line


def test_library_example_runs(readme: str, capsys: pytest.CaptureFixture[str]) -> None:
    if "NanoMamba-Tiny-DualPCEN" not in shipped_checkpoints():
        pytest.skip("no trained weights here")
    import torch

    (example,) = blocks(readme, "python")
    names: dict[str, Any] = {"waveform": torch.zeros(2, 16_000), "samples": np.zeros(16_000, np.int16)}
    exec(example, names)
    assert tuple(names["logits"].shape) == (2, 12)
    assert "silence" in capsys.readouterr().out


def test_the_table_of_networks_is_that_of_the_cards(readme: str) -> None:
    heading, _, *rows = CliRunner().invoke(cli.app, ["models", "--markdown"]).stdout.splitlines()
    if heading not in readme:
        pytest.skip("the README has no such table")
    for row in rows:
        assert row in readme, "put in what './run models --markdown' prints"


def test_links_lead_somewhere(repository: Path, readme: str) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", readme) if not link.startswith("http")]
    assert links
    for link in links:
        assert (repository / link).exists(), link


def test_decisions_are_numbered_and_complete(repository: Path) -> None:
    text = (repository / "docs" / "decisions.md").read_text(encoding="utf-8")
    entries = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert [int(entry.split(".")[0]) for entry in entries] == list(range(1, len(entries) + 1))
    for entry in entries:
        for part in ("What", "Why", "Measured"):
            assert f"**{part}.**" in entry, f"{entry.splitlines()[0]}: no {part}"
