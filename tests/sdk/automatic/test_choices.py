"""What `Task.init` is asked to log is understood as scripts for ClearML say it."""

import pytest

from eventlog.sdk.automatic.choices import Choices


@pytest.mark.parametrize("name", ["lightning", "pytorch_lightning", "pytorch-lightning"])
def test_lightning_has_several_names(name: str, caplog: pytest.LogCaptureFixture) -> None:
    chosen = Choices.of({name: False}, True, True, True)
    assert not chosen.wants("lightning")
    assert chosen.wants("pytorch")
    assert caplog.records == []
