"""What every test stands on: no screen, no user settings, one torch thread, repeatable hypothesis."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

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


def pytest_unconfigure() -> None:
    """Remove the settings folder of this run."""
    shutil.rmtree(os.environ["KWSCOPE_CONFIG_DIR"], ignore_errors=True)


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
