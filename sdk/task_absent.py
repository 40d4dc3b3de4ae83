"""What ClearML's Task can do and this one cannot: each call says so, why, and what to do instead."""

import logging
from typing import Any, NoReturn

from eventlog.errors import NotAvailable
from eventlog.sdk.task_base import TaskBase

__all__ = ["TaskAbsent"]

log = logging.getLogger("eventlog")

_QUEUES = "eventlog has no queues"
_RUN = "run the draft with `eventlog run --task ID`, on any machine that has it"
_SERVER = "there is no server"
_ROUTER = "there is no server that could route traffic to this machine"
_STORAGE = "give the destination as output_uri, and its credentials as fsspec takes them, in its environment"


class TaskAbsent(TaskBase):
    """The methods of ClearML's `Task` that are not available here."""

    @classmethod
    def enqueue(cls, *_: Any, **__: Any) -> NoReturn:
        """Not available: there are no queues."""
        _refuse("enqueue", _QUEUES, _RUN)

    @classmethod
    def dequeue(cls, *_: Any, **__: Any) -> NoReturn:
        """Not available: there are no queues."""
        _refuse("dequeue", _QUEUES, "there is nothing to take a task out of")

    @classmethod
    def get_num_enqueued_tasks(cls, *_: Any, **__: Any) -> NoReturn:
        """Not available: there are no queues."""
        _refuse("get_num_enqueued_tasks", _QUEUES, "count drafts with Task.query_tasks")

    def launch_multi_node(self, *_: Any, **__: Any) -> NoReturn:
        """Not available: there are no queues."""
        _refuse(
            "launch_multi_node",
            _QUEUES,
            "start the script on each machine, with EVENTLOG_TASK_ID set to the task's id",
        )

    def get_http_router(self) -> NoReturn:
        """Not available: there is no server to route traffic through."""
        _refuse("get_http_router", _ROUTER, "serve from the script itself")

    def request_external_endpoint(self, *_: Any, **__: Any) -> NoReturn:
        """Not available: there is no server to route traffic through."""
        _refuse("request_external_endpoint", _ROUTER, "open a port, or an SSH tunnel, to this machine")

    def wait_for_external_endpoint(self, *_: Any, **__: Any) -> NoReturn:
        """Not available: there is no server to route traffic through."""
        _refuse("wait_for_external_endpoint", _ROUTER, "open a port, or an SSH tunnel, to this machine")

    def list_external_endpoints(self, *_: Any, **__: Any) -> NoReturn:
        """Not available: there is no server to route traffic through."""
        _refuse("list_external_endpoints", _ROUTER, "there are none to list")

    @classmethod
    def set_credentials(cls, *_: Any, **__: Any) -> None:
        """Do nothing: there is no server to be known to. A script that says who it is goes on."""
        log.info("eventlog: Task.set_credentials does nothing: %s; `eventlog sync` shares the log", _SERVER)

    def send(self, *_: Any, **__: Any) -> NoReturn:
        """Not available: there is no server to send requests to."""
        _refuse("send", _SERVER, "call the method of Task that says what the request was for")

    @property
    def session(self) -> NoReturn:
        """Not available: there is no server to have a session with."""
        _refuse("session", _SERVER, "ask the task itself, or eventlog.Store")

    @property
    def default_session(self) -> NoReturn:
        """Not available: there is no server to have a session with."""
        _refuse("default_session", _SERVER, "ask the task itself, or eventlog.Store")

    @property
    def metrics_manager(self) -> NoReturn:
        """Not available: it sends metrics to a server."""
        _refuse("metrics_manager", _SERVER, "report with task.get_logger()")

    @property
    def labels_stats(self) -> NoReturn:
        """Not available: there are no annotated frames."""
        _refuse("labels_stats", "there are no annotated frames", "report the numbers as scalars")

    def get_dataviews(self) -> NoReturn:
        """Not available: there are no views of data sets."""
        _refuse(
            "get_dataviews", "there are no views of data sets", "keep the query with set_configuration_object"
        )

    def set_dataview(self, *_: Any, **__: Any) -> NoReturn:
        """Not available: there are no views of data sets."""
        _refuse(
            "set_dataview", "there are no views of data sets", "keep the query with set_configuration_object"
        )

    @property
    def resource_monitor(self) -> NoReturn:
        """Not available: what watches the machine is no object of a script's."""
        _refuse(
            "resource_monitor",
            "a thread watches the machine, and is not given out",
            "say how it is to watch in Task.init, as auto_resource_monitoring",
        )

    @property
    def report_subprocess_enabled(self) -> bool:
        """False: no process is started to report."""
        return False

    def setup_aws_upload(self, *_: Any, **__: Any) -> NoReturn:
        """Not available: credentials are fsspec's matter."""
        _refuse("setup_aws_upload", "credentials are never kept", _STORAGE)

    def setup_gcp_upload(self, *_: Any, **__: Any) -> NoReturn:
        """Not available: credentials are fsspec's matter."""
        _refuse("setup_gcp_upload", "credentials are never kept", _STORAGE)

    def setup_azure_upload(self, *_: Any, **__: Any) -> NoReturn:
        """Not available: credentials are fsspec's matter."""
        _refuse("setup_azure_upload", "credentials are never kept", _STORAGE)

    def setup_upload(self, *_: Any, **__: Any) -> NoReturn:
        """Not available: credentials are fsspec's matter."""
        _refuse("setup_upload", "credentials are never kept", _STORAGE)


def _refuse(call: str, why: str, instead: str) -> NoReturn:
    raise NotAvailable(f"Task.{call} is not available: {why}; {instead}")
