"""What every test may ask for."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

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
