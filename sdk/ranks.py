"""The ranks of a distributed run: rank 0 owns the task, and the others add to it.

A launcher (torchrun, `accelerate launch`, mpirun, srun) starts the same script many times, and each calls
`Task.init`. There is no server to ask, so rank 0 leaves word of its task in the store's home, under a name
made of what all ranks of this run share and no other run does; the others wait for it.

A word counts if its rank 0 was alive when this process was started: one that an earlier run left, with the
same address and port, does not. That of a rank 0 on another host, which has another store in a home that they
share, counts once its task has arrived here.
"""

import hashlib
import logging
import os
import platform
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from eventlog.configuration import Configuration, home_folder
from eventlog.errors import EventlogError
from eventlog.hosts import home_around
from eventlog.journal import JournalLock
from eventlog.sdk.main_task import has_main_task, leave_task_of_rank_0, main_task_store, task_of_main_process
from eventlog.sdk.names import check_id
from eventlog.sdk.stores import open_store_at, read_state
from eventlog.store import Store

__all__ = ["Rank", "follow_rank_0", "leave_word_for_ranks"]

log = logging.getLogger("eventlog")

# The rank, and how many there are: of torchrun and its like, Open MPI, MVAPICH, MPICH and Intel MPI, Slurm.
_RANKS = (
    ("RANK", "WORLD_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
    ("SLURM_PROCID", "SLURM_NTASKS"),
)
# What one run has and no other that runs at the same time; what is there of it, the first counts.
_RUNS = (
    ("TORCHELASTIC_RUN_ID", "MASTER_ADDR", "MASTER_PORT"),
    ("MASTER_ADDR", "MASTER_PORT"),
    ("PMIX_NAMESPACE",),
    ("OMPI_MCA_ess_base_jobid",),
    ("SLURM_JOB_ID", "SLURM_STEP_ID"),
)
# What torchrun calls a run that was given no name.
_NO_NAME = frozenset({"", "none"})
_ATTEMPT = "TORCHELASTIC_RESTART_COUNT"
_POLL_SECONDS = 0.02
_ARRIVAL_SECONDS = 0.2
_LONGEST_WORD = 64 << 10
_DAY = 86_400.0


class Rank(msgspec.Struct, frozen=True):
    """Which one of the processes of a distributed run this is.

    Attributes:
        number: from 0.
        size: how many there are.
        run: what all of them share, and no other run does.
    """

    number: int
    size: int
    run: str

    @classmethod
    def now(cls, environment: Mapping[str, str] = os.environ) -> "Rank | None":
        """What the launcher says of this process, or None where it is the only one."""
        for name, of in _RANKS:
            number, size = _number(environment, name), _number(environment, of)
            if number is not None and size is not None:
                return cls(number, size, _run(environment)) if number < size > 1 else None
        return None


class Word(msgspec.Struct, frozen=True):
    """What rank 0 leaves.

    Attributes:
        task, home: its task, and the store that it is in.
        session: the session that reports to it, in hexadecimal.
        store: the id of that store, in hexadecimal.
    """

    task: str
    home: str
    session: str
    store: str = ""


def leave_word_for_ranks(store: Store, task: str) -> None:
    """Let the other ranks know the task that has begun here, if this is rank 0."""
    global _begun
    rank = Rank.now()
    # A child of rank 0 has its number in the environment, too.
    if rank is None or rank.number != 0 or has_main_task() or store.session.id is None:
        return
    _begun += 1
    # Whoever finds the word looks for the task in the log, and does not wait for a commit for long.
    with suppress(EventlogError):
        store.flush()
    word = Word(task, str(store.home), store.session.id.hex(), store.id.hex())
    path = _path(rank, _begun)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial.touch(mode=0o600)
        partial.write_bytes(msgspec.json.encode(word))
        partial.replace(path)
        _sweep(path.parent)


def follow_rank_0() -> None:
    """Wait for the task of rank 0, if this is another one, and leave word of it for what begins here."""
    global _begun
    rank = Rank.now()
    if rank is None or rank.number == 0 or _is_child_of_a_task():
        return
    _begun += 1
    patience = Configuration.load().rank_wait_seconds
    if patience == 0:
        return
    path = _path(rank, _begun)
    deadline = time.monotonic() + patience
    seen: Word | None = None
    while time.monotonic() < deadline:
        word = read_word(path)
        if word is not None and word != seen:
            if _is_elsewhere(word):
                # What it says of its task arrives some time later.
                if _counts_elsewhere(word):
                    leave_task_of_rank_0(word.task, _home())
                    return
                time.sleep(_ARRIVAL_SECONDS)
            elif _counts(word):
                leave_task_of_rank_0(word.task, Path(word.home))
                return
            else:
                seen = word
        time.sleep(_POLL_SECONDS)
    log.warning(
        "eventlog: rank %d waited %g seconds for the task of rank 0, and there is none in %s: it gets one."
        " All ranks need the same EVENTLOG_HOME; EVENTLOG_RANK_WAIT_SECONDS says how long to wait",
        rank.number,
        patience,
        home_folder(),
    )


def _is_child_of_a_task() -> bool:
    """Whether the launcher, or rank 0 if that started the others, has an open task."""
    if not has_main_task():
        return False
    store = main_task_store()
    return store is not None and task_of_main_process(store) != ""


def _counts(word: Word) -> bool:
    """Whether the rank 0 that left a word was alive when this process was started."""
    from eventlog.recovery import recover

    try:
        store = open_store_at(Path(word.home))
        session = bytes.fromhex(word.session)
        if session in store.live_sessions():
            return True
        if not store.read_only:
            recover(store)
        record = store.record_of(session)
    except (EventlogError, ValueError):
        return False
    return record is not None and record.last_time >= _started() * 1000


def _is_elsewhere(word: Word) -> bool:
    """Whether a word is of another host that shares the home, which it may know by another path."""
    there = Path(word.home)
    return home_around(there) is not there and there.name != _home().name


def _counts_elsewhere(word: Word) -> bool:
    """Whether the rank 0 that left a word on another host was alive, and its task has arrived here."""
    from eventlog.sync.sharing import freshen_stores

    try:
        store = open_store_at(_home(), create=True)
        session = bytes.fromhex(word.session)
        freshen_stores(store, {bytes.fromhex(word.store)})
        # Raises where it has not arrived.
        read_state(store, check_id(word.task), here=True)
        with suppress(OSError):
            if JournalLock.is_taken(_home().parent / Path(word.home).name / "journals" / session.hex()):
                return True
        record = store.record_of(session)
    except (EventlogError, ValueError):
        return False
    return record is not None and record.last_time >= _started() * 1000


def _home() -> Path:
    return Path(os.path.realpath(home_folder()))


def _started() -> float:
    """When this process was started, in seconds since 1970-01-01 UTC; not after that."""
    ticks = _start_of(os.getpid())
    if ticks is None:
        return time.time() - time.process_time()
    return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))


def _start_of(process: int) -> int | None:
    """When a process was started, in ticks since the machine was; None where the system does not say."""
    try:
        # Of "42 (a name) S …" the 22nd field (proc_pid_stat(5)); a name may have anything in it.
        return int(Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def _number(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() else None


def _run(environment: Mapping[str, str]) -> str:
    """What all ranks share: what the launcher says of the run, or else the launcher itself."""
    attempt = environment.get(_ATTEMPT, "")
    for names in _RUNS:
        values = [environment.get(name, "") for name in names]
        if not _NO_NAME.intersection(values):
            return "\n".join([*names, *values, attempt])
    launcher = os.getppid()
    return "\n".join(["launcher", platform.node(), str(launcher), str(_start_of(launcher)), attempt])


def _path(rank: Rank, number: int) -> Path:
    """The file for the first, second … task of each rank; a hash, since names never become paths."""
    name = hashlib.sha256(f"{rank.run}\n{number}".encode(errors="surrogateescape")).hexdigest()[:32]
    return home_around(home_folder()) / "ranks" / name


def read_word(path: Path) -> Word | None:
    """What rank 0 left in a file; None where there is nothing, or something else."""
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(_LONGEST_WORD), type=Word)
    except (OSError, msgspec.DecodeError, RecursionError):
        return None


def _sweep(folder: Path) -> None:
    """Remove the words of runs that were started long ago."""
    oldest = time.time() - _DAY
    for path in folder.iterdir():
        with suppress(OSError):
            if path.stat().st_mtime < oldest:
                path.unlink()


# How many tasks have begun here as part of the run.
_begun = 0
