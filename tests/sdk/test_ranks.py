"""Of the ranks of a distributed run the first owns the task, and the others add to it."""

import os
import time
from collections.abc import Mapping

import pytest

from eventlog import Task
from eventlog.sdk.ranks import Rank
from tests.sdk.scripts import Script, Scripts

SIZE = 3
RANK = """
import os, sys, time
from pathlib import Path
from eventlog import Task
names = ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID")
rank = next(os.environ[name] for name in names if name in os.environ)
"""
TRAIN = (
    RANK
    + """
task = Task.init(project_name="tests/ranks", task_name="a run")
task.get_logger().report_scalar("rank", rank, value=int(rank), iteration=1)
print(task.id)
"""
)
TORCH = {"RANK": "{rank}", "WORLD_SIZE": "{size}", "LOCAL_RANK": "{rank}"}


def launch(
    scripts: Scripts, text: str, names: Mapping[str, str] = TORCH, size: int = SIZE, **more: str
) -> list[Script]:
    """Start the ranks, the last one first."""
    return [
        scripts.start(
            text,
            name=f"rank_{rank}.py",
            environment={
                **{name: value.format(rank=rank, size=size) for name, value in names.items()},
                **more,
            },
        )
        for rank in reversed(range(size))
    ][::-1]


def ended(ranks: list[Script]) -> list[Script]:
    for rank in ranks:
        assert rank.wait() == 0, rank.err
    return ranks


@pytest.mark.parametrize(
    "names",
    [
        TORCH,
        {**TORCH, "MASTER_ADDR": "localhost", "MASTER_PORT": "29500", "TORCHELASTIC_RUN_ID": "none"},
        {**TORCH, "MASTER_ADDR": "a", "MASTER_PORT": "1", "TORCHELASTIC_RUN_ID": "0b1c"},
        {"OMPI_COMM_WORLD_RANK": "{rank}", "OMPI_COMM_WORLD_SIZE": "{size}", "PMIX_NAMESPACE": "3142:1"},
        {"PMI_RANK": "{rank}", "PMI_SIZE": "{size}"},
        {"SLURM_PROCID": "{rank}", "SLURM_NTASKS": "{size}", "SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0"},
    ],
    ids=["small", "torchrun", "elastic", "openmpi", "mpich", "slurm"],
)
def test_all_ranks_of_a_run_add_to_the_task_of_the_first(scripts: Scripts, names: dict[str, str]) -> None:
    ranks = ended(launch(scripts, TRAIN, names))
    (task,) = Task.get_tasks()
    assert [(rank.out, rank.err) for rank in ranks] == [(f"{task.id}\n", "")] * SIZE
    assert set(task.get_reported_scalars()["rank"]) == {"0", "1", "2"}
    assert task.status == "completed"
    assert task.data.script.entry_point == "rank_0.py"


def test_what_a_rank_reports_after_the_first_has_ended_is_kept(scripts: Scripts) -> None:
    go = scripts.folder / "go"
    wait = f"\nwhile rank != '0' and not Path({str(go)!r}).exists(): time.sleep(0.01)\n"
    for text in (TRAIN + wait + "task.set_parameter(rank, 1); print('later')\n", RANK + wait + TRAIN):
        first, *others = launch(scripts, text)
        ended([first])
        go.touch()
        ended(others)
        (task,) = Task.get_tasks()
        assert [rank.out.splitlines()[0] for rank in (first, *others)] == [task.id] * SIZE
        assert set(task.get_reported_scalars()["rank"]) == {"0", "1", "2"}
        assert task.status == "completed"
        go.unlink()
    assert {"General/1", "General/2"} & set(task.get_parameters()) == set()


def test_the_others_need_not_wait_for_a_commit_of_the_first(scripts: Scripts) -> None:
    """A machine that is busy may take its time for one."""
    go = scripts.folder / "go"
    late = {"RANK": "0", "WORLD_SIZE": "2", "EVENTLOG_COMMIT_INTERVAL_SECONDS": "60"}
    wait = f"\nwhile not Path({str(go)!r}).exists(): time.sleep(0.01)\n"
    first = scripts.start(TRAIN + wait, name="rank_0.py", environment=late)
    second = scripts.start(TRAIN, name="rank_1.py", environment={"RANK": "1", "WORLD_SIZE": "2"})
    ended([second])
    go.touch()
    ended([first])
    assert first.out == second.out


@pytest.mark.parametrize("end", ["raise ValueError(rank)", "os._exit(5)", "os.kill(os.getpid(), 9)"])
def test_the_status_is_that_of_the_first_rank(scripts: Scripts, end: str) -> None:
    text = f"{TRAIN}\nif rank == '1':\n    {end}\n"
    first, second = launch(scripts, text, size=2)
    assert second.wait() != 0
    ended([first])
    state = scripts.state()
    assert (state.status, state.traceback) == ("completed", "")
    assert len(Task.get_task(state.id).get_reported_scalars()["rank"]) == 2


def test_where_the_first_rank_fails_the_task_has_failed(scripts: Scripts) -> None:
    first, second = launch(scripts, TRAIN + "\nif rank == '0': raise ValueError(rank)\n", size=2)
    ended([second])
    assert first.wait() == 1
    assert scripts.state().status == "failed"


def test_where_the_first_rank_begins_no_task_the_others_have_their_own(scripts: Scripts) -> None:
    text = RANK + "\nif rank == '0': sys.exit()\n" + TRAIN
    ranks = ended(launch(scripts, text, size=2, EVENTLOG_RANK_WAIT_SECONDS="0.3"))
    (task,) = Task.get_tasks()
    assert ranks[1].out == f"{task.id}\n"
    assert ranks[1].err.count("\n") == 1
    assert "rank 1 waited 0.3 seconds for the task of rank 0" in ranks[1].err
    assert task.status == "completed"


def test_ranks_can_have_tasks_of_their_own(scripts: Scripts) -> None:
    text = TRAIN.replace('"a run"', '"a run", reuse_last_task_id=False')
    ranks = ended(launch(scripts, text, EVENTLOG_RANK_WAIT_SECONDS="0"))
    assert len({rank.out for rank in ranks}) == SIZE == len(Task.get_tasks())
    assert {rank.err for rank in ranks} == {""}


@pytest.mark.parametrize("end", ["", "os.kill(os.getpid(), 9)"])
def test_a_run_does_not_add_to_an_earlier_one_with_the_same_address(scripts: Scripts, end: str) -> None:
    address = {"MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}
    new = TRAIN.replace('"a run"', '"a run", reuse_last_task_id=False')
    for rank in launch(scripts, f"{new}\n{end}\n", size=2, **address):
        rank.wait()
    (before,) = Task.get_tasks()
    # The second rank looks before the first has begun anything.
    second = scripts.start(
        f"import eventlog.sdk.ranks as ranks\nread = ranks.read_word\n"
        f"ranks.read_word = lambda path: print('looks', flush=True) or read(path)\n{new}",
        environment={"RANK": "1", "WORLD_SIZE": "2", **address},
    )
    assert second.line() == second.line() == "looks"
    first = scripts.start(new, name="first.py", environment={"RANK": "0", "WORLD_SIZE": "2", **address})
    ended([first, second])
    assert first.out != f"{before.id}\n"
    assert second.out.endswith(first.out)
    assert len(Task.get_tasks()) == 2


def test_tasks_that_a_run_begins_one_after_another_are_told_apart(scripts: Scripts) -> None:
    text = TRAIN + "\ntask.close()\n" + TRAIN.replace("a run", "another run")
    ranks = ended(launch(scripts, text))
    assert len({rank.out for rank in ranks}) == 1
    assert len(set(ranks[0].out.split())) == 2
    for task in Task.get_tasks():
        assert set(task.get_reported_scalars()["rank"]) == {"0", "1", "2"}


def test_a_task_that_is_given_is_owned_by_the_first_rank(scripts: Scripts) -> None:
    draft = Task.create(project_name="tests/ranks", task_name="a draft")
    wait = "\nif rank == '0': time.sleep(0.2)\n"
    text = RANK + wait + TRAIN + "\nassert task._run.start.is_own == (rank == '0')\n"
    ended(launch(scripts, text, EVENTLOG_TASK_ID=draft.id))
    assert draft.status == "completed"
    assert set(draft.get_reported_scalars()["rank"]) == {"0", "1", "2"}


def test_ranks_of_a_launcher_with_a_task_add_to_that(scripts: Scripts) -> None:
    (scripts.folder).mkdir()
    (scripts.folder / "rank.py").write_text(TRAIN)
    scripts.run(
        """
        import os, subprocess, sys
        from eventlog import Task
        task = Task.init(project_name="tests/ranks", task_name="launcher")
        ranks = [
            subprocess.Popen([sys.executable, "rank.py"], env={**os.environ, "RANK": rank, "WORLD_SIZE": "2"})
            for rank in "10"
        ]
        assert [rank.wait() for rank in ranks] == [0, 0]
        assert task.status == "in_progress"
        """
    )
    (task,) = Task.get_tasks()
    assert set(task.get_reported_scalars()["rank"]) == {"0", "1"}
    assert not (scripts.home / "ranks").exists()


def test_children_of_ranks_add_to_the_same_task(scripts: Scripts) -> None:
    text = (
        RANK
        + """
import multiprocessing
from eventlog import Logger

def work(method):
    Logger.current_logger().report_scalar(method, rank, value=1, iteration=1)

if __name__ == "__main__":
    Task.init(project_name="tests/ranks", task_name="a run")
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            pool.map(work, [method])
"""
    )
    ended(launch(scripts, text, size=2))
    (task,) = Task.get_tasks()
    assert {title: set(series) for title, series in task.get_reported_scalars().items()} == {
        "fork": {"0", "1"},
        "spawn": {"0", "1"},
    }


def test_offline_all_ranks_record_into_one_session(scripts: Scripts) -> None:
    ranks = ended(launch(scripts, TRAIN, EVENTLOG_OFFLINE_MODE="1"))
    assert len({rank.out for rank in ranks}) == 1
    task_id = ranks[0].out.strip()
    (bundle,) = (scripts.home / "offline").glob("*.zip")
    assert bundle.stem == task_id
    task = Task.get_task(Task.import_offline_session(bundle))
    assert set(task.get_reported_scalars()["rank"]) == {"0", "1", "2"}


def test_words_of_old_runs_are_removed(scripts: Scripts) -> None:
    ended(launch(scripts, TRAIN, size=2))
    (word,) = (scripts.home / "ranks").iterdir()
    long_ago = time.time() - 2 * 86_400
    os.utime(word, (long_ago, long_ago))
    ended(launch(scripts, TRAIN, size=2, MASTER_ADDR="a", MASTER_PORT="1"))
    (other,) = (scripts.home / "ranks").iterdir()
    assert other != word
    assert other.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"RANK": "0", "WORLD_SIZE": "1"},
        {"RANK": "3", "WORLD_SIZE": "2"},
        {"RANK": "-1", "WORLD_SIZE": "2"},
        {"RANK": "one", "WORLD_SIZE": "two"},
        {"RANK": "0"},
        {"SLURM_PROCID": "0", "SLURM_NTASKS": "1"},
    ],
)
def test_what_is_no_rank_is_none(environment: dict[str, str]) -> None:
    assert Rank.now(environment) is None


def test_a_launcher_that_says_nothing_of_the_run_is_known_by_its_process() -> None:
    rank = Rank.now({"RANK": "1", "WORLD_SIZE": "4"})
    assert rank is not None
    assert (rank.number, rank.size) == (1, 4)
    assert f"\n{os.getppid()}\n" in rank.run
    again = Rank.now({"RANK": "1", "WORLD_SIZE": "4", "TORCHELASTIC_RESTART_COUNT": "1"})
    assert again is not None
    assert again.run != rank.run
