"""What a task runs with can be said by hand, before it runs, while it runs and afterwards."""

import hashlib
import random
from pathlib import Path

import pytest

from eventlog import Task
from eventlog.errors import InputInvalid
from eventlog.sdk import execution, requirements
from tests.sdk.scripts import Scripts

NAMES = {"project_name": "tests/environment", "task_name": "a task"}


@pytest.fixture(autouse=True)
def no_wishes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_added", "_installed_version", "_ignored"):
        monkeypatch.setattr(requirements, name, type(getattr(requirements, name))())
    monkeypatch.setattr(requirements, "_file", None)
    monkeypatch.setattr(execution, "_standalone", False)


def draft() -> Task:
    return Task.create(**NAMES)


def test_a_script_is_set_piece_by_piece_and_cleared() -> None:
    task = draft()
    assert task.get_script() == {}
    task.set_script(repository="https://u:secret@example.com/a.git", branch="main", commit="abc", diff="+1")
    task.set_script(entry_point="train.py", working_dir="source", binary="python3", branch="")
    script = task.data.script
    assert "secret" not in script.repository
    assert (script.branch, script.version_num, script.diff) == ("", "abc", "+1")
    assert (script.entry_point, script.working_dir, script.binary) == ("train.py", "source", "python3")
    assert set(task.get_script()) == {"working_dir", "entry_point", "branch", "repository"}
    with pytest.raises(InputInvalid, match="branch"):
        task.set_script(branch=5)  # type: ignore[arg-type]


def test_a_long_diff_is_kept_whole_and_its_secrets_are_not() -> None:
    task = draft()
    diff = "".join(f"+line {number}\n" for number in range(20_000)) + "+password='hunter2hunter2'\n"
    task.set_script(diff=diff)
    script = task.data.script
    assert script.diff.startswith("+line 0\n")
    assert "+line 19999\n" in script.diff
    assert "hunter2" not in script.diff
    task.set_script(diff="")
    assert task.data.script.diff == ""  # type: ignore[union-attr]


def test_a_repository_is_a_url_or_a_folder(tmp_path: Path) -> None:
    task = draft()
    task.set_repo("https://example.com/a.git", branch="main", commit="abc")
    assert task.get_script()["repository"] == "https://example.com/a.git"
    task.set_repo("", "", "")
    assert task.get_script()["repository"] == ""


def test_packages_are_a_list_a_file_or_nothing(tmp_path: Path) -> None:
    task = draft()
    assert task.get_requirements() == {}
    task.set_packages(["tqdm==2.1", "numpy"])
    assert task.get_requirements() == {"pip": "tqdm==2.1\nnumpy"}
    (tmp_path / "requirements.txt").write_text("torch\n")
    for path in (tmp_path / "requirements.txt", str(tmp_path / "requirements.txt")):
        task.set_packages(path)
        assert task.get_requirements() == {"pip": "torch"}
    task.set_packages("")
    assert task.get_requirements() == {}
    for broken in (5, [5], str(tmp_path / "nothing.txt")):
        with pytest.raises(InputInvalid):
            task.set_packages(broken)  # type: ignore[arg-type]


def test_what_is_said_while_it_is_found_out_wins() -> None:
    task = Task.init(**NAMES)
    task.set_packages(["numpy"])
    task.set_script(entry_point="other.py")
    assert task.get_requirements() == {"pip": "numpy"}
    assert task.get_script()["entry_point"] == "other.py"
    task.close()
    assert Task.get_task(task.id).get_requirements() == {"pip": "numpy"}
    data = task.data.script
    assert data is not None
    assert data.python


def test_what_is_said_after_it_was_found_out_wins_and_the_rest_stays() -> None:
    task = Task.init(**NAMES)
    assert "msgspec==" in task.get_requirements()["pip"]
    task.set_script(branch="other")
    assert task.get_script()["branch"] == "other"
    assert "msgspec==" in task.get_requirements()["pip"]


def test_packages_are_added_and_left_out_before_the_task_begins(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("alpha==1\nbeta>2\n")
    Task.add_requirements("Some_Package", "2.4")
    Task.add_requirements("another", ">=1")
    Task.add_requirements("any", "")
    Task.add_requirements("msgspec")
    Task.add_requirements(str(tmp_path / "more.txt"))
    Task.ignore_requirements("pyarrow")
    lines = Task.init(**NAMES).get_requirements()["pip"].splitlines()
    assert {"Some_Package==2.4", "another>=1", "any", "alpha==1", "beta>2"} <= set(lines)
    assert [line for line in lines if line.startswith("msgspec==")]
    assert not [line for line in lines if line.startswith("pyarrow==")]


def test_a_file_may_say_what_is_needed(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("only==1\n")
    Task.force_requirements_env_freeze(requirements_file=tmp_path / "requirements.txt")
    assert Task.init(**NAMES).get_requirements() == {"pip": "only==1"}
    with pytest.raises(InputInvalid, match="nothing"):
        Task.force_requirements_env_freeze(requirements_file=tmp_path / "nothing")


def test_the_script_may_be_recorded_instead_of_its_repository(scripts: Scripts) -> None:
    (scripts.folder / ".git").mkdir(parents=True)
    scripts.run("from eventlog import Task\nTask.force_store_standalone_script()\nTask.init()\n")
    recorded = scripts.state().execution
    assert recorded is not None
    assert recorded.script.startswith("from eventlog import Task")
    assert recorded.repository == recorded.diff == ""


def test_a_container_is_given_in_parts_or_in_a_line() -> None:
    task = draft()
    assert task.get_base_docker() is None
    task.set_base_docker("nvidia/cuda:12 -e A=1 --ipc=host")
    assert task.get_base_docker() == "nvidia/cuda:12 -e A=1 --ipc=host"
    task.set_base_docker(
        docker_image="python", docker_arguments=["-e", "B=2"], docker_setup_bash_script=["a", "b"]
    )
    assert task.data.container == {"image": "python", "arguments": "-e B=2", "setup_shell_script": "a\nb"}
    task.set_base_docker("a -b", docker_image="c", docker_arguments="-d")
    assert task.get_base_docker() == "a -d"


def test_random_numbers_are_the_same_in_every_run_unless_they_are_not_to_be() -> None:
    assert Task.get_random_seed() == 1337
    try:
        drawn = []
        for seed in (True, 1337, 5):
            Task.set_random_seed(seed)
            Task.init(**NAMES)
            drawn.append(random.random())
            Task.current_task().close()  # type: ignore[union-attr]
        # What random.seed(1337) makes the first number in CPython, and so ClearML's.
        assert drawn[0] == drawn[1] == 0.6177528569514706
        assert drawn[2] != drawn[0]
        random.seed(7)
        expected = random.Random(7).random()
        for none in (None, False):
            Task.set_random_seed(none)
            assert Task.get_random_seed() is None
        Task.init(**NAMES)
        assert random.random() == expected
        with pytest.raises(InputInvalid, match="seed"):
            Task.set_random_seed("x")  # type: ignore[arg-type]
    finally:
        Task.set_random_seed(True)


def test_numpy_is_seeded_where_it_is_loaded() -> None:
    numpy = pytest.importorskip("numpy")
    Task.init(**NAMES)
    assert numpy.random.rand() == numpy.random.RandomState(1337).rand()


def test_what_a_task_says_of_where_it_runs(task: Task, home: Path) -> None:
    other = Task.create(**NAMES)
    assert (task.is_main_task(), task.is_current_task(), other.is_main_task()) == (True, True, False)
    assert Task.get_task(task.id).is_main_task()
    assert Task.running_locally() is True
    assert task.get_executed_queue() is None
    assert task.last_worker == task.data.host
    assert other.last_worker == task.last_worker
    assert task.cache_dir.is_relative_to(home)
    assert task.get_output_log_web_page() == Task.get_task_output_log_web_page(task.id)
    assert task.get_output_log_web_page().startswith("file://")
    assert task.logger is task.get_logger()


def test_the_data_of_a_task_has_clearmls_names(task: Task) -> None:
    task.set_parameters({"Args/lr": 0.5})
    task.get_logger().report_scalar("a", "b", value=2, iteration=7)
    task.upload_artifact("kept", {"a": 1})
    data = task.data
    assert (data.hyperparams["Args"]["lr"].value, data.hyperparams["Args"]["lr"].type) == ("0.5", "float")
    assert (data.last_iteration, data.last_metrics["a"]["b"]["last"]) == (7, 2)
    assert [one.name for one in data.execution.artifacts] == ["kept"]
    assert data.models == {"input": [], "output": []}
    assert (data.project_name, data.last_change, data.published) == (data.project, data.last_update, None)
    assert data.active_duration is not None
    exported = data.to_dict()
    assert (exported["status"], exported["name"]) == ("in_progress", "a task")
    assert exported["started"] == data.started.isoformat()  # type: ignore[union-attr]


@pytest.mark.parametrize("given", [True, False, {}, {"*": False}, {"pytorch": "*.pt"}])
def test_what_clearml_connects_by_itself_may_be_asked_for(given: object) -> None:
    task = Task.init(
        **NAMES,
        auto_connect_arg_parser=given,  # type: ignore[arg-type]
        auto_connect_frameworks=given,  # type: ignore[arg-type]
        auto_resource_monitoring=given,  # type: ignore[arg-type]
        auto_connect_streams=given,  # type: ignore[arg-type]
        deferred_init=True,
    )
    assert task.status == "in_progress"


def test_tasks_are_ordered_by_their_metrics_as_scripts_for_a_server_ask() -> None:
    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    for name, accuracy in (("good", 0.9), ("bad", 0.5), ("best", 0.95), ("without", None)):
        task = Task.init(project_name="metrics", task_name=name)
        if accuracy is not None:
            task.get_logger().report_scalar("accuracy", "test", accuracy, 3)
            task.get_logger().report_scalar("accuracy", "test", 0.1, 4)
        task.close()
    field = f"last_metrics.{md5('accuracy')}.{md5('test')}.max_value"
    for order, names in (
        (f"-{field}", ["best", "good", "bad", "without"]),
        (field, ["bad", "good", "best", "without"]),
        ("-last_metrics.accuracy.test.max_value", ["best", "good", "bad", "without"]),
    ):
        found = Task.get_tasks(project_name="metrics", task_filter={"order_by": [order]})
        assert [task.name for task in found] == names
    metric = found[0].data.last_metrics[md5("accuracy")][md5("test")]
    assert (metric.metric, metric.variant, metric.value, metric.max_value) == ("accuracy", "test", 0.1, 0.95)
