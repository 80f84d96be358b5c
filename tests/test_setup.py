"""The set-up script, driven with a stand-in Python so that nothing is downloaded or installed."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

# Stands in for the system Python: "-m venv DIR" makes an environment whose python is this script again,
# "-m pip" logs its arguments, everything else is the real interpreter or, for kwscore and pytest, an echo.
FAKE_PYTHON = """#!/bin/sh
case "$*" in
*"-m venv "*)
    for venv; do :; done
    mkdir -p "$venv/bin" && : >"$venv/pyvenv.cfg" && cp "$0" "$venv/bin/python"
    echo venv >>"{log}" ;;
*"-m pip install"*)
    echo "pip $*" >>"{log}"
    [ -z "${{FAKE_PIP_KILLS-}}" ] || kill -9 $PPID
    exit "${{FAKE_PIP_STATUS-0}}" ;;
*"import ensurepip"* | *"import pip"*) exit "${{FAKE_LACKS_VENV-0}}" ;;
*"-m kwscore"* | *"-m pytest"*)
    printf 'in %s:' "$(pwd)"
    for argument; do printf ' <%s>' "$argument"; done
    echo ;;
*) exec "{python}" "$@" ;;
esac
"""


TOOLS = ("sh", "dirname", "readlink", "cat", "awk", "cksum", "find", "rm", "mkdir", "cp", "mv", "id", "env", "ls")
"""Everything that the script needs besides Python, apt and flock; each is on the barest Debian."""


class Checkout:
    """A copy of the set-up files in a folder whose name has spaces and brackets."""

    def __init__(self, repository: Path, folder: Path) -> None:
        self.root = folder / "my check (out)"
        self.root.mkdir()
        for name in ("run", "pyproject.toml", "constraints.txt"):
            shutil.copy(repository / name, self.root / name)
        self.log = folder / "log"
        self.python = folder / "python3"
        self.python.write_text(FAKE_PYTHON.format(log=self.log, python=sys.executable))
        self.python.chmod(self.python.stat().st_mode | stat.S_IXUSR)
        self.venv = self.root / ".venv"

    def run(self, *arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the script with the stand-in Python and without apt."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("KWSCOPE_", "FAKE_", "PIP_"))}
        clean |= {"KWSCOPE_NO_APT": "1", "KWSCOPE_PYTHON": str(self.python), **environment}
        command = [str(self.root / "run"), *arguments]
        return subprocess.run(command, cwd=cwd or self.root, env=clean, capture_output=True, text=True, timeout=60)

    def steps(self) -> list[str]:
        """What was done since the last question: "venv" and "pip" in order."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [line.split()[0] for line in lines]


@pytest.fixture
def checkout(repository: Path, tmp_path: Path) -> Checkout:
    return Checkout(repository, tmp_path)


def test_first_run_builds_and_the_second_does_nothing(checkout: Checkout, tmp_path: Path) -> None:
    first = checkout.run("classify", "a b.wav", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert first.stdout == f"in {tmp_path}: <-P> <-m> <kwscore> <classify> <a b.wav>\n", "stdout is the program's alone"
    assert checkout.steps() == ["venv", "pip"]
    assert checkout.run("models").returncode == 0
    assert checkout.steps() == []


def test_tests_run_at_the_top_whatever_the_working_directory(checkout: Checkout, tmp_path: Path) -> None:
    done = checkout.run("test", "-k", "a or b", cwd=tmp_path)
    assert done.stdout == f"in {checkout.root}: <-m> <pytest> <-k> <a or b>\n"
    assert checkout.steps() == ["venv", "pip"]
    assert checkout.run("test").returncode == 0
    assert checkout.run("models").returncode == 0, "what tests need includes what running needs"
    assert checkout.steps() == []


def test_running_installs_no_test_tools_and_constraints_hold(checkout: Checkout) -> None:
    checkout.run("models")
    line = checkout.log.read_text().splitlines()[-1]
    assert line.endswith(f"-c {checkout.root}/constraints.txt -e {checkout.root}")
    assert "--no-compile" in line
    checkout.run("test")
    assert checkout.log.read_text().splitlines()[-1].endswith(f"-e {checkout.root}[test]")


@pytest.mark.parametrize("file", ["constraints.txt", "pyproject.toml"])
def test_changed_requirements_install_again(checkout: Checkout, file: str) -> None:
    checkout.run("models")
    checkout.steps()
    path = checkout.root / file
    path.write_text(path.read_text().replace("numba", "numba ", 1))
    checkout.run("models")
    assert checkout.steps() == ["pip"]


def test_changed_linter_settings_do_not(checkout: Checkout) -> None:
    checkout.run("models")
    checkout.steps()
    path = checkout.root / "pyproject.toml"
    path.write_text(path.read_text().replace("line-length = 120", "line-length = 100"))
    checkout.run("models")
    assert checkout.steps() == []


def test_existing_environment_is_adopted(checkout: Checkout) -> None:
    checkout.run("models")
    for stamp in checkout.venv.glob(".kwscope-*"):
        stamp.unlink()
    (checkout.venv / "mine").touch()
    checkout.run("models")
    assert checkout.steps() == ["venv", "pip", "pip"]
    assert (checkout.venv / "mine").exists()


def test_killed_set_up_starts_afresh(checkout: Checkout) -> None:
    assert checkout.run("models", FAKE_PIP_KILLS="1").returncode < 0
    (checkout.venv / "half").touch()
    after = checkout.run("models")
    assert after.returncode == 0
    assert "interrupted" in after.stderr
    assert not (checkout.venv / "half").exists()
    assert checkout.steps() == ["venv", "pip", "venv", "pip"]


def test_failed_download_keeps_the_environment_and_tries_again(checkout: Checkout) -> None:
    failed = checkout.run("models", FAKE_PIP_STATUS="1")
    assert failed.returncode == 3
    assert "pip could not install" in failed.stderr
    assert "in " not in failed.stdout, "the program must not start"
    assert checkout.run("models").returncode == 0
    assert checkout.steps() == ["venv", "pip", "pip"]


def test_half_installed_package_starts_afresh(checkout: Checkout) -> None:
    checkout.run("models", FAKE_PIP_STATUS="1")
    (checkout.venv / "lib/python3.11/site-packages/torch-1.dist-info").mkdir(parents=True)
    assert checkout.run("models", FAKE_PIP_STATUS="1").returncode == 3
    assert checkout.run("models").returncode == 0
    assert checkout.steps() == ["venv", "pip", "pip", "venv", "pip"]


def test_a_foreign_folder_is_never_cleared(checkout: Checkout, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.tex").touch()
    done = checkout.run("models", KWSCOPE_VENV=str(precious))
    assert done.returncode == 3
    assert "not a Python environment" in done.stderr
    assert (precious / "thesis.tex").exists()
    assert checkout.steps() == []


def test_moved_checkout_installs_again(checkout: Checkout) -> None:
    checkout.run("models")
    checkout.steps()
    checkout.root = checkout.root.rename(checkout.root.parent / "moved")
    assert checkout.run("models").returncode == 0
    assert checkout.steps() == ["pip"]


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH on which nothing but the barest tools is found; libraries are found or not as on this machine."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    return folder


def script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_missing_packages_are_named_once_with_the_command(checkout: Checkout, tools: Path) -> None:
    done = checkout.run("test", PATH=str(tools))
    assert done.returncode == 0, done.stderr
    messages = [line for line in done.stderr.splitlines() if "missing system packages" in line]
    assert len(messages) == 1
    assert re.search(r"names.*: .*xvfb xauth espeak-ng pulseaudio pulseaudio-utils", messages[0])
    script(tools / "apt-get", "exit 1")
    again = checkout.run("test", PATH=str(tools))
    assert re.search(r": sudo apt-get install .*xvfb xauth espeak-ng pulseaudio pulseaudio-utils", again.stderr)
    assert again.stderr.count("apt-get") == 1, "nothing may be installed with KWSCOPE_NO_APT"


def test_missing_packages_are_installed_where_that_is_allowed(checkout: Checkout, tools: Path, tmp_path: Path) -> None:
    """apt-get that works: asked once, with the packages, and never again."""
    log = tmp_path / "apt"
    script(tools / "sudo", 'shift\nexec "$@"')
    installs = f'case "$*" in *install*) for name in Xvfb xauth; do cp {tools}/sudo {tools}/$name; done ;; esac'
    script(tools / "apt-get", f'echo "$*" >>{log}\n{installs}')
    first = checkout.run("test", PATH=str(tools), KWSCOPE_NO_APT="")
    assert first.returncode == 0, first.stderr
    asked = [line for line in log.read_text().splitlines() if " install " in line]
    assert len(asked) == 1
    assert re.search(r"-y .*install --no-install-recommends .*xvfb xauth espeak-ng", asked[0])
    message = next(line for line in first.stderr.splitlines() if "missing system packages" in line)
    assert "espeak-ng" in message
    assert "xvfb" not in message, "it has been installed"
    assert checkout.run("test", PATH=str(tools), KWSCOPE_NO_APT="").returncode == 0
    assert log.read_text().count(" install ") == 1, "what cannot be installed is not tried at every start"


def test_without_venv_support_the_missing_package_is_named(checkout: Checkout) -> None:
    done = checkout.run("models", FAKE_LACKS_VENV="1")
    assert done.returncode == 3
    assert re.search(r"missing system packages.*: .*python3\.\d+-venv", done.stderr)


def test_wrong_python_is_named(checkout: Checkout, tmp_path: Path) -> None:
    old = tmp_path / "old"
    script(old, "exit 1")
    done = checkout.run("models", KWSCOPE_PYTHON=str(old))
    assert done.returncode == 3
    assert str(old) in done.stderr


def test_two_at_once_build_once(checkout: Checkout) -> None:
    clean = {**os.environ, "KWSCOPE_NO_APT": "1", "KWSCOPE_PYTHON": str(checkout.python)}
    clean.pop("KWSCOPE_VENV", None)
    command = [str(checkout.root / "run"), "models"]
    both = [subprocess.Popen(command, env=clean, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert b"<models>" in out
    assert checkout.steps() == ["venv", "pip"]


def test_continuous_integration_calls_the_same_script(repository: Path) -> None:
    script = repository / ".ci" / "run"
    assert os.access(script, os.X_OK)
    text = script.read_text()
    assert re.search(r'^run=.*/\.\./run"$', text, re.MULTILINE)
    assert re.search(r'^"\$run" test "\$@" \|\|', text, re.MULTILINE)


def test_every_requirement_is_pinned_within_its_range(repository: Path) -> None:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    pins = dict(line.split("==") for line in (repository / "constraints.txt").read_text().splitlines() if "==" in line)
    pins = {canonicalize_name(name): version for name, version in pins.items()}
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    for text in [*project["dependencies"], *project["optional-dependencies"]["test"]]:
        wanted = Requirement(text)
        assert str(wanted.specifier), f"{wanted.name} has no range"
        assert pins[canonicalize_name(wanted.name)] in wanted.specifier, wanted.name
    assert pins["torch"] == "2.13.0", "exactly this: a looser pin pulls gigabytes of GPU packages"
