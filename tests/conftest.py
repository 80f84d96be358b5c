"""What every test stands on: no screen, no user settings, one torch thread, repeatable hypothesis."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.beside import Programs, Result

REPOSITORY = Path(__file__).resolve().parent.parent

# Before any test module is imported: Qt aborts without a screen, and settings are read at import or start.
os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["KWSCOPE_CONFIG_DIR"] = tempfile.mkdtemp(prefix="kwscope-test-config-")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch takes its thread count from it; nothing is gained by more

# A shell that starts the tests in the background has SIGINT ignored, and children of ours would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "kwscope",
    derandomize=True,
    deadline=None,
    max_examples=25,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("kwscope")


_PROGRAMS = pytest.StashKey[Programs]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "beside(*command): a program that runs beside the tests (fixture ``program``)")
    config.stash[_PROGRAMS] = Programs(REPOSITORY)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin with the programs of the tests that were chosen; not where several processes share the tests out."""
    if not session.config.option.collectonly and not hasattr(session.config, "workerinput"):
        for item in session.items:
            for mark in item.iter_markers("beside"):
                session.config.stash[_PROGRAMS].begin(*mark.args)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what still runs; remove the settings folder of this run."""
    config.stash[_PROGRAMS].close()
    shutil.rmtree(os.environ["KWSCOPE_CONFIG_DIR"], ignore_errors=True)


@pytest.fixture
def program(request: pytest.FixtureRequest) -> Result:
    """Exit status and output of the test's program (marker ``beside``), once it has ended."""
    mark = request.node.get_closest_marker("beside")
    return request.config.stash[_PROGRAMS].begin(*mark.args).result()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The top of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference material beside the checkout (golden vectors, recordings); skips where it is absent."""
    folder = REPOSITORY.parent / "shared"
    if not folder.is_dir():
        pytest.skip("reference material (../shared) is not here")
    return folder


@pytest.fixture(autouse=True)
def _config_dir(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a settings folder of its own, so that none sees what another saved."""
    monkeypatch.setenv("KWSCOPE_CONFIG_DIR", str(tmp_path_factory.mktemp("config")))
    monkeypatch.setenv("KWSCOPE_RECORDINGS_DIR", str(tmp_path_factory.getbasetemp() / "recordings"))
