"""What every test may ask for."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# What is multiplied here is small: beside other tests, threads that wait for each other take twice as long.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# How long an example takes says more of what else this machine does.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store's folder of this test's own, not there yet, as EVENTLOG_HOME for it and its children."""
    folder = tmp_path / "home"
    monkeypatch.setenv("EVENTLOG_HOME", str(folder))
    for name in ("EVENTLOG_REMOTE", "EVENTLOG_AUTO_SYNC", "EVENTLOG_HOST"):
        monkeypatch.delenv(name, raising=False)
    # Whatever the tests' own folder is on.
    monkeypatch.setenv("EVENTLOG_SHARED_HOME", "0")
    # A test that takes long would find curves that it knows nothing of.
    monkeypatch.setenv("EVENTLOG_MONITOR_INTERVAL_SECONDS", "3600")
    return folder
