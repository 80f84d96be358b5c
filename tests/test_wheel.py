"""The wheel: what it carries, and that its installed program works outside any checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from kwscore.models.checkpoint import shipped_checkpoints

BUILT_FROM = ("app", "kwscore", "checkpoints_full", "assets")
FILES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE")

pytestmark = pytest.mark.skipif(not shipped_checkpoints(), reason="no trained network is here")


def call(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources, so that no build folder is left in them."""
    copy = tmp_path_factory.mktemp("sources")
    ignore = shutil.ignore_patterns("__pycache__", "*.part")
    for name in BUILT_FROM:
        shutil.copytree(repository / name, copy / name, ignore=ignore)
    for name in FILES:
        shutil.copy2(repository / name, copy / name)
    out = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
    call(*pip, "wheel", "-q", "--no-index", "--no-build-isolation", "--no-deps", "-w", out, copy, cwd=out)
    (made,) = out.glob("kwscope-*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's packages and its program."""
    target = tmp_path_factory.mktemp("installed")
    call(
        sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "-q", "--no-index",
        "--no-deps", "--target", target, wheel, cwd=target,
    )  # fmt: skip
    return target


def kwscope(installed: Path, cwd: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the installed program as a user would, far from the checkout."""
    return call(installed / "bin" / "kwscope", *arguments, cwd=cwd, PYTHONPATH=str(installed), **environment)


def test_what_the_wheel_carries(wheel: Path, repository: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in (repository / "checkpoints_full").glob("*.safetensors"):
        assert f"kwscore/checkpoints_full/{path.name}" in names
        assert f"kwscore/checkpoints_full/{path.stem}.json" in names
    assets = repository / "assets"
    demo = {f"kwscore/assets/{path.relative_to(assets)}" for path in (assets / "demo").rglob("*") if path.is_file()}
    assert {name for name in names if name.startswith("kwscore/assets/demo/")} == demo
    for name in ("icon.svg", "kwscope.desktop", "icons/kwscope-256.png"):
        assert f"kwscore/assets/{name}" in names
    for part in ("app/fonts/Inter-Regular.otf", "app/fonts/OFL.txt", "app/panels/readout.py", "kwscore/cli/main.py"):
        assert part in names
    packages = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert packages == {"app", "kwscore"}, "nothing else goes into the user's site-packages"
    assert not [name for name in names if "__pycache__" in name or name.endswith(".part")]


def test_every_module_of_the_packages_is_in_the_wheel(wheel: Path, repository: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for package in ("app", "kwscore"):
        modules = {path.relative_to(repository).as_posix() for path in (repository / package).rglob("*.py")}
        assert modules <= names, modules - names


def test_the_installed_program_knows_its_networks(installed: Path, tmp_path: Path) -> None:
    done = kwscope(installed, tmp_path, "models")
    for name in shipped_checkpoints():
        assert name in done.stdout
    code = "import kwscore; print(kwscore.__file__)"
    where = call(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(installed)).stdout
    assert where.startswith(str(installed))


def test_the_installed_program_puts_itself_into_the_menu(installed: Path, tmp_path: Path) -> None:
    done = kwscope(installed, tmp_path, "install-desktop", "--folder", str(tmp_path / "share"))
    assert (tmp_path / "share" / "applications" / "kwscope.desktop").is_file()
    assert "kwscope-256" not in done.stdout
    assert (tmp_path / "share" / "icons" / "hicolor" / "256x256" / "apps" / "kwscope.png").is_file()


def test_the_installed_program_hears_and_shows(installed: Path, tmp_path: Path) -> None:
    """One test, as the engine is compiled once for a place."""
    clip = installed / "kwscore" / "assets" / "demo" / "02-yes.opus"
    done = kwscope(installed, tmp_path, "classify", str(clip))
    assert "yes" in done.stdout
    picture = tmp_path / "window.png"
    kwscope(
        installed, tmp_path, "--source", str(clip), "--screenshot", str(picture), "--seconds", "0.8",
        QT_QPA_PLATFORM="offscreen", KWSCOPE_CONFIG_DIR=str(tmp_path / "config"),
    )  # fmt: skip
    assert picture.stat().st_size > 20_000
