"""PyTorch's own processes, of data loaders and of distributed runs, add to one task."""

import importlib.util
import subprocess
import sys

import pytest

from eventlog import Task
from eventlog.sdk.stores import current_views
from tests.sdk.scripts import Scripts

pytestmark = [
    pytest.mark.libraries,
    pytest.mark.timeout(180),
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed"),
]

LOADER = """
import sys
import torch
from eventlog import Logger, Task

class Numbers(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        print(f"loads {index}")
        Logger.current_logger().report_scalar("loaded", str(index), value=index, iteration=1)
        return index

if __name__ == "__main__":
    Task.init(project_name="tests/torch", task_name="loader")
    loader = torch.utils.data.DataLoader(Numbers(), num_workers=2, multiprocessing_context=sys.argv[1])
    print(sum(int(batch) for batch in loader))
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_a_data_loader_report_to_the_task(scripts: Scripts, method: str) -> None:
    scripts.run(LOADER, method)
    (task,) = Task.get_tasks()
    assert set(task.get_reported_scalars()["loaded"]) == {"0", "1", "2", "3"}
    lines = {line.text for line in current_views(task._store, reports=True).text(task.id)}
    assert lines == {"6", *(f"loads {index}" for index in range(4))}
    assert task.status == "completed"


DISTRIBUTED = """
import torch
import torch.distributed as dist
from eventlog import Task

dist.init_process_group("gloo")
rank = dist.get_rank()
task = Task.init(project_name="tests/torch", task_name="ranks")
total = torch.tensor([rank + 1.0])
dist.all_reduce(total)
task.get_logger().report_scalar("total", f"rank {rank}", value=total.item(), iteration=0)
print(f"rank {rank} of {dist.get_world_size()}: {total.item()}", flush=True)
dist.destroy_process_group()
"""


def test_ranks_of_torchrun_add_to_one_task(scripts: Scripts) -> None:
    scripts.folder.mkdir()
    path = scripts.folder / "train.py"
    path.write_text(DISTRIBUTED)
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        str(path),
    ]
    done = subprocess.run(command, cwd=scripts.folder, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    (task,) = Task.get_tasks()
    assert task.status == "completed"
    totals = task.get_reported_scalars()["total"]
    assert {name: curve["y"] for name, curve in totals.items()} == {"rank 0": [3.0], "rank 1": [3.0]}
    lines = {line.text for line in current_views(task._store, reports=True).text(task.id)}
    assert {"rank 0 of 2: 3.0", "rank 1 of 2: 3.0"} <= lines
    assert task.data.script.entry_point == "train.py"


SPAWNED = """
import os
import torch.multiprocessing
from eventlog import Task

def train(rank, size):
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(size))
    Task.current_task().get_logger().report_scalar("rank", str(rank), value=rank, iteration=0)

if __name__ == "__main__":
    Task.init(project_name="tests/torch", task_name="spawned")
    torch.multiprocessing.spawn(train, args=(2,), nprocs=2)
"""


def test_what_torch_spawns_adds_to_the_task(scripts: Scripts) -> None:
    scripts.run(SPAWNED)
    (task,) = Task.get_tasks()
    assert set(task.get_reported_scalars()["rank"]) == {"0", "1"}
    assert task.status == "completed"
