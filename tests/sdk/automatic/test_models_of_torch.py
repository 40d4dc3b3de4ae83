"""What PyTorch saves and loads, by whichever of its functions, is a model; and nothing of it is another's."""

from pathlib import Path

import pytest

from eventlog import Task
from tests.sdk.automatic.model_scripts import Trained, needs
from tests.sdk.scripts import Scripts

pytestmark = [pytest.mark.libraries, pytest.mark.timeout(180), needs("torch")]

NET = """
import io, os, pathlib, shutil
import torch
net = torch.nn.Linear(2, 2)
"""


def test_paths_and_open_files_are_saved_and_loaded(train: Trained) -> None:
    done = train(
        NET
        + """
torch.save(net, "whole.pth")
torch.save(net.state_dict(), pathlib.Path("state.pt"))
torch.save(obj={"net": net.state_dict()}, f="named.ckpt")
with open("opened.bin", "wb") as file:
    torch.save(net.state_dict(), file)
memory = io.BytesIO()
torch.save(net, memory)
torch.load("whole.pth", weights_only=False)
with open("opened.bin", "rb") as file:
    torch.load(file)
memory.seek(0)
torch.load(memory, weights_only=False)
"""
    )
    assert done.models("output") == ["whole", "state", "named", "opened"]
    assert done.models("input") == ["whole", "opened"]
    assert {model.framework for model in done.task.models["output"]} == {"PyTorch"}


def test_a_loop_has_one_model_of_each_file_and_the_last_weights_of_it(train: Trained) -> None:
    done = train(
        NET
        + """
for epoch in range(10):
    torch.save({"epoch": epoch, "net": net.state_dict()}, "last.pt")
    if epoch % 5 == 0:
        torch.save(net.state_dict(), f"epoch_{epoch}.pt")
"""
    )
    assert done.models("output") == ["last", "epoch_0", "epoch_5"]
    model = done.task.models["output"]["last"]
    assert Path(model.get_local_copy()).read_bytes() == (done.folder / "last.pt").read_bytes()


@pytest.mark.filterwarnings("ignore")
def test_torchscript_is_saved_and_loaded(train: Trained) -> None:
    done = train(
        NET
        + """
scripted = torch.jit.script(net)
torch.jit.save(scripted, "a.pt")
scripted.save("b.pt")
torch.jit.load("a.pt")
"""
    )
    assert done.models("output") == ["a", "b"]
    assert done.models("input") == ["a"]


def test_what_workers_of_a_data_loader_load_is_data(train: Trained) -> None:
    done = train(
        NET
        + """
class Files(torch.utils.data.Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, index):
        return torch.load(f"{index}.pt")

for index in range(4):
    torch.save(torch.zeros(2), f"{index}.pt")
for _ in range(3):
    assert len(list(torch.utils.data.DataLoader(Files(), num_workers=2, multiprocessing_context="fork"))) == 4
"""
    )
    assert len(done.models("output")) == 4
    assert done.models("input") == []


def test_what_one_script_has_trained_another_one_reads(train: Trained) -> None:
    first = train(NET + "torch.save(net.state_dict(), 'net.pt')\n", name="first")
    second = train(
        NET + "shutil.copy('net.pt', 'base.pt')\nnet.load_state_dict(torch.load('base.pt'))\n", name="second"
    )
    (model,) = second.task.models["input"]
    assert model.original_task == first.task.id
    assert model == first.task.models["output"][0]


def test_hooks_reach_what_was_imported_before_the_task_began(scripts: Scripts) -> None:
    scripts.run(
        "from torch import save, nn\nimport torch\nfrom eventlog import Task\n"
        "Task.init(project_name='tests/models', task_name='late')\n"
        "torch.save(nn.Linear(1, 1).state_dict(), 'net.pt')\n"
    )
    (task,) = Task.get_tasks()
    assert [model.name for model in task.models["output"]] == ["late - net"]


def test_threads_that_save_at_once_each_have_their_model(train: Trained) -> None:
    done = train(
        NET
        + """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(4) as pool:
    list(pool.map(lambda i: torch.save(net.state_dict(), f"{i % 8}.pt"), range(40)))
"""
    )
    assert sorted(done.models("output")) == [str(number) for number in range(8)]


def test_switched_off_by_clearml_s_name_for_it(train: Trained) -> None:
    done = train(
        NET
        + """
from eventlog.sdk.clearml_bindings import PatchPyTorchModelIO
torch.save(net, "a.pt")
PatchPyTorchModelIO.update_current_task(None)
torch.save(net, "b.pt")
PatchPyTorchModelIO.update_current_task(task)
torch.save(net, "c.pt")
"""
    )
    assert done.models("output") == ["a", "c"]


def test_what_raises_raises_as_it_does(train: Trained) -> None:
    done = train(
        NET
        + """
for call in (
    lambda: torch.load("missing.pt"),
    lambda: torch.save(net, "no/such/folder/net.pt"),
    lambda: torch.save(lambda: 1, "function.pt"),
    lambda: torch.save(),
):
    try:
        call()
    except Exception as error:
        print(type(error).__name__)
"""
    )
    assert done.out.split()[0] == "FileNotFoundError"
    assert len(done.out.split()) == 4
    assert done.models("output") == done.models("input") == []
