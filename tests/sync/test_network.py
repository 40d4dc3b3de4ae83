"""A network that fails for the moment costs time and nothing else; one that stays away is said."""

import hashlib
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eventlog.errors import RemoteUnreachable
from eventlog.sync import file_systems, pull, push, synchronise
from eventlog.sync import patience as patience_module
from eventlog.sync.urls import objects_at
from tests.sync.machines import Machine, batches_of
from tests.sync.proxy import Proxy
from tests.sync.servers import SftpServer, free_port

KINDS = ["s3", "sftp", "webdav"]

Machines = Callable[[str], Machine]
Place = Callable[[str], str]


class Route:
    """A remote that is reached through a proxy, and directly."""

    def __init__(self, direct: str, proxy: Proxy, port: int) -> None:
        self.direct = direct
        self.proxy = proxy
        self.url = direct.replace(f":{port}", f":{proxy.port}")


@pytest.fixture(params=KINDS)
def route(request: pytest.FixtureRequest, place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Route]:
    direct = place(request.param)
    if request.param == "sftp":
        server: SftpServer = request.getfixturevalue("sftp")
        port = server.port
    else:
        host = request.getfixturevalue(request.param).rpartition("@")[2]
        port = int(host.rpartition(":")[2])
    monkeypatch.setattr(patience_module, "FIRST_WAIT_SECONDS", 0.02)
    monkeypatch.setattr(patience_module, "LONGEST_WAIT_SECONDS", 0.2)
    with Proxy(port) as proxy:
        if request.param == "sftp":
            key = server.known_hosts.read_text().partition(" ")[2]
            known = server.known_hosts.with_name(f"known_hosts-{proxy.port}")
            known.write_text(f"[127.0.0.1]:{proxy.port} {key}[127.0.0.1]:{port} {key}")
            direct = direct.replace(str(server.known_hosts), str(known))
        yield Route(direct, proxy, port)


def held(machine: Machine) -> tuple[dict[bytes, list[bytes]], set[str]]:
    return batches_of(machine.store), set(machine.store.blobs)


def test_connections_that_are_cut_at_any_byte_are_made_again(route: Route, machine: Machines) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    laptop.train()
    for size in (10, 3_000_000, 10_000_000):
        laptop.upload(os.urandom(size), f"of {size}")
    instants = random.Random(len(route.url))
    for machine_, way in ((laptop, push), (cluster, pull)):
        route.proxy.cuts = 5
        route.proxy.cut_after = instants.randrange(1_000, 6_000_000)
        assert way(machine_.store, route.url).problems == []
    assert held(cluster) == held(laptop)


def test_a_server_that_is_away_for_a_while_is_waited_for(
    route: Route, machine: Machines, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience_module, "TELL_SECONDS", 0.05)
    laptop = machine("laptop")
    laptop.upload(os.urandom(12_000_000))
    went = threading.Event()

    def leave() -> None:
        while route.proxy.sent < 5_000_000:
            time.sleep(0.005)
        route.proxy.go_away()
        went.set()
        while not any("the next is in" in record.getMessage() for record in caplog.records):
            time.sleep(0.005)
        route.proxy.listen()

    thread = threading.Thread(target=leave, daemon=True)
    thread.start()
    assert push(laptop.store, route.url).problems == []
    thread.join(30)
    assert went.is_set()
    cluster = machine("cluster")
    assert pull(cluster.store, route.direct).problems == []
    assert held(cluster) == held(laptop)


def test_a_server_that_answers_nothing_is_given_up(
    route: Route, machine: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections that lead nowhere, as after a suspended laptop, end by themselves."""
    for module in ("file_systems", "sftp_files", "http_objects"):
        monkeypatch.setattr(f"eventlog.sync.{module}.STALL_SECONDS", 1)
    assert file_systems.STALL_SECONDS == 1
    monkeypatch.setattr(patience_module, "STRANGER_SECONDS", 0.5)
    monkeypatch.setattr(patience_module, "KNOWN_SECONDS", 0.5)
    laptop = machine("laptop")
    laptop.upload(os.urandom(12_000_000))
    objects_at(route.direct).make_root()
    held_up = threading.Event()

    def hold() -> None:
        while route.proxy.sent < 5_000_000:
            time.sleep(0.005)
        route.proxy.holding.set()
        held_up.set()

    threading.Thread(target=hold, daemon=True).start()
    started = time.monotonic()
    with pytest.raises(RemoteUnreachable, match="sync again") as caught:
        push(laptop.store, route.url)
    assert held_up.is_set()
    # By far sooner than with what was not shortened above, on a machine as busy as it may be.
    assert time.monotonic() - started < 28
    assert "\n" not in str(caught.value)
    route.proxy.holding.clear()
    assert synchronise(laptop.store, route.direct).problems == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_port_where_nobody_listens_is_said_soon(
    kind: str, machine: Machines, tmp_path: Path, credentials: None
) -> None:
    machine("laptop").train()
    port = free_port()
    url = {
        "s3": f"s3://bucket/runs?endpoint_url=http://127.0.0.1:{port}",
        "sftp": f"sftp://127.0.0.1:{port}{tmp_path}",
        "webdav": f"webdav://127.0.0.1:{port}/runs",
    }[kind]
    started = time.monotonic()
    with pytest.raises(RemoteUnreachable, match="does not answer") as caught:
        push(machine("laptop").store, url)
    # One that was there before would be waited for longer.
    assert time.monotonic() - started < patience_module.KNOWN_SECONDS / 2
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("sync again")


def test_a_push_that_is_killed_leaves_nothing_half_and_the_next_sends_the_rest(
    route: Route, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    data = os.urandom(48 << 20)
    source.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    objects = objects_at(route.direct)
    objects.make_root()
    code = "import sys; from pathlib import Path; from eventlog.sync.urls import objects_at; "
    code += "objects_at(sys.argv[1]).put_file('blobs/ab/x', Path(sys.argv[2]), sys.argv[3], lambda _: None)"
    pushing = subprocess.Popen([sys.executable, "-c", code, route.url, source, digest])
    try:
        # Of four parts of 8 MiB that go at once, the first is there by then.
        while route.proxy.sent < 36 << 20:
            assert pushing.poll() is None
            time.sleep(0.002)
    finally:
        pushing.kill()
        pushing.wait(30)
    assert objects.size("blobs/ab/x") is None
    assert not objects.files("blobs/ab")
    before = route.proxy.sent
    counts: list[int] = []
    objects_at(route.url).put_file("blobs/ab/x", source, digest, counts.append)
    assert sum(counts) == len(data)
    assert objects.files("blobs/ab") == {"x": len(data)}
    with objects.open("blobs/ab/x") as file:
        assert hashlib.sha256(file.read()).hexdigest() == digest
    # WebDAV cannot go on in the middle of a file.
    if not route.url.startswith("webdav"):
        assert route.proxy.sent - before < 44 << 20
        assert not objects.files("temporary")


def test_a_pull_that_was_cut_off_fetches_only_the_rest(
    route: Route, machine: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop = machine("laptop")
    laptop.upload(os.urandom(40 << 20))
    assert push(laptop.store, route.direct).problems == []
    cluster = machine("cluster")
    route.proxy.leave_after = route.proxy.received + (36 << 20)
    with monkeypatch.context() as patch:
        # Long enough for what a busy machine does to a request by itself.
        patch.setattr(patience_module, "KNOWN_SECONDS", 2)
        # Whether it is said at its end or of the blob depends on which connection is cut first.
        try:
            said = pull(cluster.store, route.url).problems
        except RemoteUnreachable as error:
            said = [str(error)]
    assert "sync again" in " ".join(said)
    assert route.proxy.leave_after is None
    assert list(cluster.store.blobs) == []
    route.proxy.listen()
    before = route.proxy.received
    assert pull(cluster.store, route.url).problems == []
    assert held(cluster) == held(laptop)
    assert route.proxy.received - before < 36 << 20
