"""However machines meet, cut off anywhere, through a remote that lists late: in the end all are the same.

Real stores, real remotes in folders and on a server of S3; what is played is the clock of each machine and,
at the seam of `Objects`, what a remote shows of itself. `CONVERGENCE_EXAMPLES=1000` runs it longer, and with
`CONVERGENCE_STEPS=100` more happens in each (and pytest needs `--timeout=0`).
"""

import contextlib
import os
import random
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO
from unittest.mock import patch

import fsspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from eventlog import events
from eventlog.blobs import BlobWriter
from eventlog.errors import NotFound
from eventlog.events import Parameter
from eventlog.projections import Views
from eventlog.store import Store
from eventlog.sync import pull, push, resolve_forks, synchronise
from eventlog.sync.file_systems import file_system
from eventlog.sync.folder_objects import FolderObjects
from eventlog.sync.layout import MARKER
from eventlog.sync.objects import Objects
from eventlog.sync.s3_objects import S3Objects
from eventlog.verify import verify
from tests.projections.test_convergence import everything
from tests.sync.machines import absent_from, batches_of, older_program, read_remote

EXAMPLES = int(os.environ.get("CONVERGENCE_EXAMPLES", "12"))
STEPS = int(os.environ.get("CONVERGENCE_STEPS", "25"))
# A server takes its time.
EXAMPLES_ON_S3 = int(os.environ.get("CONVERGENCE_EXAMPLES", "2"))
STEPS_ON_S3 = int(os.environ.get("CONVERGENCE_STEPS", "15"))

HOUR = 3600 * 1_000_000_000
START = 1_700_000_000 * 1_000_000_000
TASKS = ["aa" * 16, "bb" * 16]
MOST_MACHINES = 5
# More rounds than any order of meeting should need.
MOST_ROUNDS = 25


class Cut(BaseException):
    """The process ends here, as far as the remote can tell."""


class Late(Objects):
    """Objects whose listings may be late, and that may be cut off after some operations.

    What was put may be listed some time later; what was deleted, some time longer; and what is listed may
    not be there yet when it is asked for.

    Attributes:
        cut_after: how many operations go through from here on; None for all.
        dice: says what is late; None where nothing is.
    """

    def __init__(self, file_system: Any, root: str, shown: str, dice: random.Random | None) -> None:
        super().__init__(file_system, root, shown)
        self.cut_after: int | None = None
        self.dice = dice
        # How often it will not be listed, or not be there, or be listed still with its size.
        self._unlisted: dict[str, int] = {}
        self._unopened: dict[str, int] = {}
        self._listed_still: dict[str, tuple[int, int]] = {}

    def settle_down(self) -> None:
        """From here on, listings are of what is there."""
        self.cut_after = None
        self.dice = None

    def files(self, folder: str) -> dict[str, int]:
        self._count()
        listed = {f"{folder}/{name}": size for name, size in super().files(folder).items()}
        return {name.rpartition("/")[2]: size for name, size in self._late(listed, folder).items()}

    def files_in_folders(self, folder: str) -> dict[str, int]:
        self._count()
        listed = self._all_in_folders(folder)
        shown = self._late({f"{folder}/{name}": size for name, size in listed.items()}, folder)
        return {name[len(folder) + 1 :]: size for name, size in shown.items()}

    def size(self, name: str) -> int | None:
        self._count()
        return None if self._is_late(self._unlisted, name) else super().size(name)

    def open(self, name: str) -> BinaryIO:
        self._count()
        if self._is_late(self._unopened, name):
            raise NotFound(f"{self.shown}/{name} is not there")
        return super().open(name)

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        self._count()
        super().put(name, pieces)
        self._delay(name)

    def put_file(self, name: str, *arguments: Any) -> None:
        self._count()
        super().put_file(name, *arguments)
        self._delay(name)

    def copy(self, name: str, size: int, writer: BlobWriter, progress: Callable[[int], None]) -> None:
        self._count()
        super().copy(name, size, writer, progress)

    def remove(self, name: str) -> None:
        self._count()
        size = super().size(name) if self.dice else None
        super().remove(name)
        if self.dice is not None and size is not None and name.startswith("stores/"):
            self._listed_still[name] = (self.dice.choice([0, 0, 1, 3]), size)

    def there(self) -> dict[str, int | None]:
        """The sizes of all that is there, never late."""
        return super().everything() if super().size(MARKER) is not None else {}

    def _all_in_folders(self, folder: str) -> dict[str, int]:
        return super().files_in_folders(folder)

    def _count(self) -> None:
        if self.cut_after is not None:
            self.cut_after -= 1
            if self.cut_after < 0:
                raise Cut

    def _delay(self, name: str) -> None:
        self._listed_still.pop(name, None)
        if self.dice is not None and name.startswith(("stores/", "blobs/")):
            self._unlisted[name] = self.dice.choice([0, 0, 0, 1, 4])
            self._unopened[name] = self.dice.choice([0, 0, 0, 0, 1])

    def _is_late(self, counts: dict[str, int], name: str) -> bool:
        if self.dice is None or not counts.get(name):
            return False
        counts[name] -= 1
        return True

    def _late(self, listed: dict[str, int], folder: str) -> dict[str, int]:
        shown = {name: size for name, size in listed.items() if not self._is_late(self._unlisted, name)}
        for name, (times, size) in list(self._listed_still.items()):
            if self.dice is not None and times and name.startswith(f"{folder}/") and name not in listed:
                self._listed_still[name] = (times - 1, size)
                shown[name] = size
        return shown


class LateFolder(Late, FolderObjects):
    """A remote in a folder."""

    def _all_in_folders(self, folder: str) -> dict[str, int]:
        place = Path(self._path(folder))
        return {
            f"{inner.name}/{name}": size
            for inner in (sorted(place.iterdir()) if place.is_dir() else ())
            for name, size in FolderObjects.files(self, f"{folder}/{inner.name}").items()
        }


class LateS3(Late, S3Objects):
    """A remote on S3."""


class Copy:
    """A machine: its store, its clock, and how old its program is."""

    def __init__(self, home: Path, offset: int) -> None:
        self.home = home
        self.now = START + offset
        self.is_old = False
        self.store: Store
        self.open()

    def open(self) -> None:
        self.store = Store.open(self.home)
        self.store.session._wall = self.wall

    def wall(self) -> int:
        self.now += 1_000_000
        return self.now

    def close(self) -> None:
        self.store.close()

    @contextlib.contextmanager
    def program(self) -> Iterator[None]:
        """The version of the program that this machine has does what follows."""
        with older_program() if self.is_old else contextlib.nullcontext():
            yield


WHICH = st.integers(0, MOST_MACHINES - 1)
TASK = st.sampled_from(TASKS)
WORDS = st.sampled_from(["a", "b", "c/d", "ü"])
WORK = st.sampled_from([pull, push, synchronise])
REMOTE = st.sampled_from(["share", "share", "stick"])


class Meetings(RuleBasedStateMachine):
    """Machines that edit the same tasks, and meet."""

    @initialize(
        count=st.integers(2, 3),
        offsets=st.lists(st.integers(-30, 30), min_size=MOST_MACHINES, max_size=MOST_MACHINES),
        late=st.booleans(),
        seed=st.integers(0, 1 << 16),
    )
    def begin(self, count: int, offsets: list[int], late: bool, seed: int) -> None:
        memory = Path("/dev/shm")
        where = memory if memory.is_dir() else None
        self.folder = Path(tempfile.mkdtemp(prefix="meetings-", dir=where))
        self.offsets = [offset * HOUR for offset in offsets]
        self.machines: list[Copy] = []
        for _ in range(count):
            self.add_machine()
        self.remotes: dict[str, Late] = {
            "share": self.make_share(random.Random(seed) if late else None),
            "stick": self.make_folder("stick", None),
        }
        self.counter = 0
        self._patch = patch("eventlog.sync.remote.objects_at", self.objects_at)
        self._patch.start()

    def make_share(self, dice: random.Random | None) -> Late:
        """The remote that most of them meet at."""
        return self.make_folder("share", dice)

    def make_folder(self, name: str, dice: random.Random | None) -> Late:
        path = str(self.folder / name)
        return LateFolder(fsspec.filesystem("file"), path, path, dice)

    def objects_at(self, url: Any) -> Late:
        return next(remote for remote in self.remotes.values() if remote.shown == url)

    def add_machine(self) -> Copy:
        number = len(self.machines)
        self.machines.append(Copy(self.folder / f"machine{number}", self.offsets[number]))
        return self.machines[-1]

    def one(self, which: int) -> Copy:
        return self.machines[which % len(self.machines)]

    # What people do.

    @rule(which=WHICH, task=TASK, word=WORDS, kind=st.integers(0, 8))
    def edit(self, which: int, task: str, word: str, kind: int) -> None:
        copy = self.one(which)
        self.counter += 1
        append = copy.store.session.append
        match kind:
            case 0:
                append(events.TaskCreated, task, word, "project")
            case 1:
                append(events.TagsAdded, task, [word, str(self.counter)])
            case 2:
                append(events.TagsRemoved, task, [word])
            case 3:
                append(events.TaskStarted, task)
            case 4:
                append(events.TaskCompleted, task)
            case 5 if not copy.is_old:
                append(events.ParametersSet, task, {word: Parameter(str(self.counter))})
            case 6 if not copy.is_old:
                append(events.TaskRenamed, task, f"{word}{self.counter}")
            case 7 if not copy.is_old:
                data = f"{word} {self.counter // 2}".encode()
                digest = copy.store.blobs.put_bytes(data)
                append(events.ArtifactUploaded, task, word, "file", digest, len(data), "f.bin")
                append(events.TextReported, task, "", 20, copy.store.blobs.put_bytes(data * 2))
            case _:
                for step in range(3):
                    append(events.ScalarReported, task, "loss", word, step, float(self.counter))
        copy.store.flush()

    @rule(which=WHICH, hours=st.integers(-5, 5))
    def set_clock(self, which: int, hours: int) -> None:
        self.one(which).now += hours * HOUR

    @rule(which=WHICH)
    def reopen(self, which: int) -> None:
        copy = self.one(which)
        copy.close()
        copy.open()

    @rule(which=WHICH, is_old=st.booleans())
    def change_version(self, which: int, is_old: bool) -> None:
        self.one(which).is_old = is_old

    @rule(which=WHICH, work=WORK, remote=REMOTE)
    def meet(self, which: int, work: Callable[..., Any], remote: str) -> None:
        self.do(self.one(which), work, remote)

    @rule(which=WHICH, work=WORK, remote=REMOTE, operations=st.integers(0, 25))
    def meet_and_be_cut_off(self, which: int, work: Callable[..., Any], remote: str, operations: int) -> None:
        self.remotes[remote].cut_after = operations
        with contextlib.suppress(Cut):
            self.do(self.one(which), work, remote)
        self.remotes[remote].cut_after = None

    @precondition(lambda self: len(self.machines) < MOST_MACHINES)
    @rule(which=WHICH)
    def copy_the_disk(self, which: int) -> None:
        copy = self.one(which)
        copy.close()
        shutil.copytree(copy.home, self.folder / f"machine{len(self.machines)}")
        copy.open()
        self.add_machine().is_old = copy.is_old

    @rule(which=WHICH, remote=REMOTE)
    def resolve(self, which: int, remote: str) -> None:
        self.do(self.one(which), resolve_forks, remote)

    def do(self, copy: Copy, work: Callable[..., Any], remote: str) -> list[str]:
        objects = self.remotes[remote]
        if work in (pull, resolve_forks) and not objects.there():
            return []
        with copy.program():
            problems: list[str] = work(copy.store, objects.shown).problems
        return problems

    # In the end.

    def teardown(self) -> None:
        if not hasattr(self, "machines"):
            return
        try:
            self.settle()
            self.compare()
        finally:
            self._patch.stop()
            for copy in self.machines:
                with contextlib.suppress(Exception):
                    copy.close()
            shutil.rmtree(self.folder)

    def settle(self) -> None:
        """All have the newest program, and meet until nothing moves any more."""
        for remote in self.remotes.values():
            remote.settle_down()
        for copy in self.machines:
            copy.is_old = False
            copy.close()
            copy.open()
            # So that each copy of a store has gone on by itself.
            copy.store.session.append(events.TagsAdded, TASKS[0], [copy.home.name])
            copy.store.flush()
        problems: list[str] = []
        for _ in range(MOST_ROUNDS):
            before = self.everywhere()
            problems = []
            for copy in self.machines:
                for remote in self.remotes:
                    told = self.do(copy, synchronise, remote)
                    problems += told
                    if any("eventlog fork" in problem for problem in told):
                        self.do(copy, resolve_forks, remote)
            if not problems and before == self.everywhere():
                return
        raise AssertionError(f"they do not come to rest: {problems}")

    def everywhere(self) -> object:
        listed = [
            {name for name in remote.there() if name.startswith("stores/")}
            for remote in self.remotes.values()
        ]
        return [batches_of(copy.store) for copy in self.machines], listed

    def compare(self) -> None:
        first = self.machines[0]
        held = batches_of(first.store)
        shown = None
        assert len({copy.store.id for copy in self.machines}) == len(self.machines)
        for copy in self.machines:
            assert batches_of(copy.store) == held
            report = verify(copy.home)
            assert report.problems == []
            assert absent_from(copy.home) == set()
            with Views.open(copy.store) as views:
                views.catch_up(reports=True)
                assert views.left_out() == []
                assert views.check() == []
                own = everything(views)
            assert shown in (None, own)
            shown = own
        for name, remote in self.remotes.items():
            there = read_remote(self.fetched(remote, self.folder / "fetched" / name))
            assert {store: list(batches.values()) for store, batches in there.items()} == held

    def fetched(self, remote: Late, folder: Path) -> Path:
        """A folder with all that a remote holds, as plain files."""
        if isinstance(remote, LateFolder):
            return Path(remote.shown)
        for name in remote.there():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            with remote.open(name) as file:
                (folder / name).write_bytes(file.read())
        return folder


SETTINGS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
Meetings.TestCase.settings = SETTINGS
TestMeetings = Meetings.TestCase


def test_machines_that_meet_on_s3_end_with_the_same_log(s3: str, credentials: None) -> None:
    class OnS3(Meetings):
        def make_share(self, dice: random.Random | None) -> Late:
            url = f"s3://bucket/{secrets.token_hex(8)}/runs?endpoint_url={s3}"
            return LateS3(*file_system(url), url, dice)

    few = settings(SETTINGS, max_examples=EXAMPLES_ON_S3, stateful_step_count=STEPS_ON_S3)
    run_state_machine_as_test(OnS3, settings=few)
