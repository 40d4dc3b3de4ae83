"""What ClearML can and eventlog cannot is refused, in one line that names the call and what to do instead."""

from typing import Any

import pytest

from eventlog import Task
from eventlog.errors import NotAvailable
from eventlog.sdk.task_absent import TaskAbsent

PROPERTIES = ("session", "default_session", "metrics_manager", "labels_stats", "resource_monitor")
CALLS: dict[str, tuple[Any, ...]] = {
    "enqueue": ("task", "queue"),
    "dequeue": ("task",),
    "get_num_enqueued_tasks": ("queue",),
    "launch_multi_node": (4,),
    "get_http_router": (),
    "request_external_endpoint": (80,),
    "wait_for_external_endpoint": (),
    "list_external_endpoints": (),
    "send": ("request",),
    "get_dataviews": (),
    "set_dataview": ("view",),
    "setup_aws_upload": ("bucket",),
    "setup_gcp_upload": ("bucket",),
    "setup_azure_upload": ("account",),
    "setup_upload": ("bucket",),
}


@pytest.mark.parametrize("name", [*CALLS, *PROPERTIES])
def test_a_call_that_is_not_available_says_so_and_what_to_do_instead(name: str, task: Task) -> None:
    def call() -> object:
        return getattr(task, name) if name in PROPERTIES else getattr(task, name)(*CALLS[name])

    with pytest.raises(NotAvailable, match=rf"^Task\.{name} is not available: .+; .+") as caught:
        call()
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, NotImplementedError)
    assert task.status == "in_progress"


def test_nothing_that_is_not_available_is_left_untested() -> None:
    public = {name for name in vars(TaskAbsent) if not name.startswith("_")}
    assert public == {*CALLS, *PROPERTIES, "report_subprocess_enabled", "set_credentials"}


def test_a_script_that_says_who_it_is_goes_on(task: Task) -> None:
    assert Task.set_credentials("http://localhost", key="k", secret="s") is None


def test_no_process_is_started_to_report(task: Task) -> None:
    assert task.report_subprocess_enabled is False
