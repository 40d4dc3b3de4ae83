from collections.abc import Callable, Set
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlog.batch import Batch
from eventlog.events import ExecutionRecorded, TextReported, encode_event
from eventlog.sync import Progress, pull, push, synchronise, unpushed
from tests.sync.cutting import Cutter
from tests.sync.machines import Machine, absent_from, batches_of, blobs_named, read_remote

Machines = Callable[[str], Machine]


def test_what_one_machine_pushes_another_pulls_byte_for_byte(machine: Machines, remote: Path) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    laptop.train()
    digest = laptop.upload(b"weights" * 1000)

    pushed = push(laptop.store, remote)
    assert (pushed.batches, pushed.segments, pushed.blobs, pushed.problems) == (2, 1, 1, [])
    pulled = pull(cluster.store, remote)
    assert (pulled.batches, pulled.segments, pulled.blobs, pulled.problems) == (2, 1, 1, [])

    assert batches_of(cluster.store) == batches_of(laptop.store)
    assert cluster.store.heads() == laptop.store.heads()
    assert cluster.store.blobs.path(digest).read_bytes() == b"weights" * 1000
    assert read_remote(remote)[laptop.id] == dict(enumerate(batches_of(laptop.store)[laptop.id]))


def test_what_was_appended_and_not_yet_committed_is_pushed(machine: Machines, remote: Path) -> None:
    laptop = machine("laptop")
    laptop.append(TextReported, laptop.task, "hello")
    push(laptop.store, remote)
    texts = [
        event.text
        for data in read_remote(remote)[laptop.id].values()
        for event in Batch.read(data).report_events()
        if isinstance(event, TextReported)
    ]
    assert texts == ["hello"]


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_remote_is_a_path_or_a_url(machine: Machines, tmp_path: Path, scheme: str) -> None:
    laptop = machine("laptop")
    laptop.train()
    push(laptop.store, f"{scheme}{tmp_path}/remote")
    assert read_remote(tmp_path / "remote").keys() == {laptop.id}


def test_a_relative_path_is_a_remote(
    machine: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop = machine("laptop")
    laptop.train()
    monkeypatch.chdir(tmp_path)
    push(laptop.store, "here")
    assert read_remote(tmp_path / "here").keys() == {laptop.id}


def test_a_second_push_and_pull_move_nothing(machine: Machines, remote: Path) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    laptop.train()
    laptop.upload(b"x")
    push(laptop.store, remote)
    pull(cluster.store, remote)
    before = sorted((path, path.stat().st_mtime_ns) for path in remote.rglob("*") if path.is_file())

    again = push(laptop.store, remote)
    assert (again.batches, again.segments, again.blobs, again.bytes) == (0, 0, 0, 0)
    again_pulled = pull(cluster.store, remote)
    assert (again_pulled.batches, again_pulled.blobs, again_pulled.bytes) == (0, 0, 0)
    both = synchronise(cluster.store, remote)
    assert both.pull.bytes == both.push.bytes == 0
    assert sorted((path, path.stat().st_mtime_ns) for path in remote.rglob("*") if path.is_file()) == before


def test_a_sync_that_has_nothing_to_do_reads_no_segment_and_no_blob(machine: Machines, remote: Path) -> None:
    laptop = machine("laptop")
    laptop.train()
    laptop.upload(b"x")
    push(laptop.store, remote)
    for path in [*remote.glob("stores/*/*"), *remote.glob("blobs/*/*")]:
        path.write_bytes(b"?" * path.stat().st_size)
    result = synchronise(laptop.store, remote)
    assert result.problems == []
    assert result.pull.bytes == result.push.bytes == 0


def test_the_price_of_a_sync_with_nothing_to_do_does_not_grow_with_tasks(
    machine: Machines, tmp_path: Path
) -> None:
    prices = []
    with Cutter() as cutter:
        for name, tasks in (("small", 1), ("large", 200)):
            one = machine(name)
            for number in range(tasks):
                one.task = f"{number:032x}"
                one.train()
                one.upload(b"%d" % number)
            push(one.store, tmp_path / f"{name}-remote")
            _, _, operations = cutter.run("synchronise", one.home, tmp_path / f"{name}-remote")
            prices.append(operations)
    assert prices[0] == prices[1] < 12


def test_only_what_is_new_is_pushed(machine: Machines, remote: Path) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    for count in range(1, 4):
        laptop.train()
        result = synchronise(laptop.store, remote)
        assert result.push.batches == 1
        assert len(list(remote.glob("stores/*/*"))) == count
        assert pull(cluster.store, remote).batches == 1
    assert batches_of(cluster.store) == batches_of(laptop.store)


def test_a_store_forwards_what_it_holds_of_others(machine: Machines, tmp_path: Path) -> None:
    laptop, courier, cluster = machine("laptop"), machine("courier"), machine("cluster")
    laptop.train()
    digest = laptop.upload(b"model")
    push(laptop.store, tmp_path / "stick")
    pull(courier.store, tmp_path / "stick")
    push(courier.store, tmp_path / "bucket")
    pull(cluster.store, tmp_path / "bucket")
    assert batches_of(cluster.store) == batches_of(laptop.store)
    assert cluster.store.blobs.path(digest).read_bytes() == b"model"
    # And back, over the same stick.
    cluster.train()
    synchronise(cluster.store, tmp_path / "stick")
    assert pull(laptop.store, tmp_path / "stick").batches == 1
    assert batches_of(cluster.store) == batches_of(laptop.store)


@pytest.mark.parametrize("order", list(permutations(["first", "second", "third"])))
def test_three_stores_that_meet_in_any_order_end_equal(
    machine: Machines, remote: Path, order: tuple[str, ...]
) -> None:
    machines = [machine(name) for name in order]
    for number, one in enumerate(machines):
        one.train(number + 1)
        one.upload(bytes([number]) * 100)
    for one in [*machines, *machines]:
        assert synchronise(one.store, remote).problems == []
    first, second, third = machines
    assert len(first.store.heads()) == 3
    assert first.store.heads() == second.store.heads() == third.store.heads()
    assert batches_of(first.store) == batches_of(second.store) == batches_of(third.store)
    assert set(first.store.blobs) == set(second.store.blobs) == set(third.store.blobs)


def some(among: Set[str]) -> Set[str]:
    """Half of the blobs."""
    return {digest for digest in among if int(digest, 16) % 2}


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 2),
            st.sampled_from(["train", "upload", "push", "pull", "synchronise", "push some", "pull some"]),
            st.integers(0, 1),
        ),
        max_size=25,
    )
)
def test_whatever_they_do_first_two_rounds_make_all_stores_equal(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("meeting")
    machines = [Machine(folder / name) for name in ("a", "b", "c")]
    remotes = [folder / "stick", folder / "share"]
    try:
        for count, (who, what, where) in enumerate(steps):
            one = machines[who]
            if what == "train":
                one.train()
            elif what == "upload":
                one.upload(b"%d" % count)
            elif what.startswith("push"):
                chosen = some if what.endswith("some") else None
                assert push(one.store, remotes[where], choose=chosen).problems == []
            elif what == "synchronise":
                assert synchronise(one.store, remotes[where]).problems == []
            elif (remotes[where] / "eventlog-remote").exists():
                chosen = some if what.endswith("some") else None
                assert pull(one.store, remotes[where], choose=chosen).problems == []
            read_remote(remotes[where])
            for batches in batches_of(one.store).values():
                named = set[str]().union(*(blobs_named(Batch.read(data)) for data in batches))
                assert named <= set(one.store.blobs) | absent_from(one.home)
        for one in machines * 2:
            assert synchronise(one.store, remotes[0]).problems == []
        first, second, third = (batches_of(one.store) for one in machines)
        assert first == second == third
        assert read_remote(remotes[0]) == {store: dict(enumerate(held)) for store, held in first.items()}
        assert set(machines[0].store.blobs) == set(machines[1].store.blobs) == set(machines[2].store.blobs)
        assert not any(absent_from(place) for place in (remotes[0], *(one.home for one in machines)))
    finally:
        for one in machines:
            one.close()


def test_blobs_that_reports_and_executions_name_travel_too(machine: Machines, remote: Path) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    text = laptop.store.blobs.put_bytes(b"a long text")
    diff = laptop.store.blobs.put_bytes(b"a long diff")
    laptop.append(TextReported, laptop.task, "a lo", 20, text)
    laptop.append(ExecutionRecorded, laptop.task, "", "", "", "", diff)
    assert push(laptop.store, remote).blobs == 2
    assert pull(cluster.store, remote).blobs == 2
    assert set(cluster.store.blobs) == {text, diff}


def test_blobs_that_nothing_names_stay(machine: Machines, remote: Path) -> None:
    laptop = machine("laptop")
    laptop.train()
    laptop.store.blobs.put_bytes(b"not in any event")
    assert push(laptop.store, remote).blobs == 0
    assert not (remote / "blobs").exists()


def test_what_events_of_a_newer_kind_name_is_taken_along(machine: Machines, remote: Path) -> None:
    """An older program in the middle loses nothing of what a newer one wrote."""
    laptop, cluster = machine("laptop"), machine("cluster")
    laptop.train()
    digest = laptop.store.blobs.put_bytes(b"a plot")
    raw = encode_event(TextReported(1, laptop.task, digest)).replace(b"TextReported", b"PlotReported")
    from eventlog.batch import pack_events

    session = bytes(15) + b"\1"
    laptop.store.commit(session, [(pack_events(0, [raw], [], 1, 1), [])])
    assert push(laptop.store, remote).blobs == 1
    assert pull(cluster.store, remote).blobs == 1
    assert digest in cluster.store.blobs


def test_a_blob_that_is_on_the_remote_already_is_not_sent_again(machine: Machines, remote: Path) -> None:
    laptop, desktop = machine("laptop"), machine("desktop")
    laptop.upload(b"the same bytes")
    desktop.upload(b"the same bytes")
    assert push(laptop.store, remote).blobs == 1
    assert push(desktop.store, remote).blobs == 0
    read_remote(remote)


def test_overlapping_segments_are_taken_in_stride(machine: Machines, remote: Path, tmp_path: Path) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    # The same batches 0-0, 0-1, 0-2, 0-3 as four segments, and some on their own.
    for count in range(4):
        laptop.train(count + 1)
        push(laptop.store, tmp_path / f"whole{count}")
        push(laptop.store, tmp_path / "steps")
    folder = Path("stores") / laptop.id.hex()
    (remote / folder).mkdir(parents=True)
    (remote / "eventlog-remote").write_bytes(b"eventlog remote 1\n")
    for path in tmp_path.glob(f"*/{folder}/*.segment"):
        (remote / folder / path.name).write_bytes(path.read_bytes())
    assert len(list((remote / folder).iterdir())) == 7
    # From nothing, and from the middle of the larger ones.
    pull(cluster.store, tmp_path / "whole1")
    assert pull(cluster.store, remote).problems == []
    assert batches_of(cluster.store) == batches_of(laptop.store)
    late = machine("late")
    result = pull(late.store, remote)
    assert (result.batches, result.segments) == (4, 1)
    assert unpushed(laptop.store, remote).batches == 0


def test_a_large_log_is_pushed_in_bounded_segments(
    machine: Machines, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    for count in range(12):
        laptop.train(20)
        laptop.upload(b"%d" % count)
    sizes = [len(data) for data in batches_of(laptop.store)[laptop.id]]
    bound = 3 * max(sizes)
    monkeypatch.setattr("eventlog.sync.pusher.SEGMENT_SIZE", bound)
    # As large as that, they are not merged.
    monkeypatch.setattr("eventlog.sync.compaction.FULL_SIZE", 0)
    result = push(laptop.store, remote)
    paths = list(remote.glob("stores/*/*"))
    assert len(paths) == result.segments > 3
    assert max(path.stat().st_size for path in paths) < 2 * bound
    read_remote(remote)
    # A reader with less memory takes them in pieces.
    monkeypatch.setattr("eventlog.sync.puller.SEGMENT_SIZE", max(sizes))
    assert pull(cluster.store, remote).problems == []
    assert batches_of(cluster.store) == batches_of(laptop.store)


def test_what_is_missing_in_the_middle_of_a_remote_is_pushed_again(machine: Machines, remote: Path) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    for _ in range(3):
        laptop.train()
        push(laptop.store, remote)
    next(remote.glob("stores/*/000000000001-*")).unlink()
    result = pull(cluster.store, remote)
    assert result.batches == 1
    assert len(result.problems) == 1
    assert "lacks batch 1 " in result.problems[0]
    assert push(laptop.store, remote).batches == 1
    assert pull(cluster.store, remote).problems == []
    assert batches_of(cluster.store) == batches_of(laptop.store)


def test_what_is_not_yet_pushed_is_counted_from_one_listing(machine: Machines, remote: Path) -> None:
    laptop, desktop = machine("laptop"), machine("desktop")
    laptop.train()
    laptop.train()
    desktop.train()
    push(desktop.store, remote)
    pull(laptop.store, remote)
    missing = unpushed(laptop.store, remote)
    assert (missing.batches, missing.stores, missing.problems) == (2, 1, [])
    missing = unpushed(laptop.store, remote.parent / "nowhere")
    assert (missing.batches, missing.stores) == (3, 2)
    push(laptop.store, remote)
    assert unpushed(laptop.store, remote).batches == 0


def test_progress_only_grows_and_ends_with_everything_done(machine: Machines, remote: Path) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    for number in range(5):
        laptop.upload(bytes([number]) * 3_000_000)
    for work, store, direction in ((push, laptop.store, "push"), (pull, cluster.store, "pull")):
        seen: list[Progress] = []
        work(store, remote, seen.append)
        assert {progress.direction for progress in seen} == {direction}
        for name in ("batches", "blobs", "bytes"):
            counts = [getattr(progress, name) for progress in seen]
            assert counts == sorted(counts)
            assert counts[-1] == getattr(seen[-1], f"{name}_total") > 0
        assert seen[-1].blobs == seen[-1].batches == 5


def test_an_interruption_from_the_keyboard_leaves_a_remote_to_go_on_with(
    machine: Machines, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventlog.sync.results.REPORT_SECONDS", 0.0)
    laptop, cluster = machine("laptop"), machine("cluster")
    for number in range(4):
        laptop.upload(bytes([number]) * 2_000_000)

    def interrupt(progress: Progress) -> None:
        if progress.bytes > 1_000_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        push(laptop.store, remote, interrupt)
    assert read_remote(remote) == {}
    push(laptop.store, remote)
    with pytest.raises(KeyboardInterrupt):
        pull(cluster.store, remote, interrupt)
    assert pull(cluster.store, remote).problems == []
    assert batches_of(cluster.store) == batches_of(laptop.store)
