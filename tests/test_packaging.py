"""The promises about what is installed: one import name, every package, nothing twice, nothing heavy."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = {"projections", "sync", "sdk", "cli"}


def run(*command: str | Path, **options) -> str:
    """What a command prints, run outside the repository and without the environment's Python settings."""
    return run_whole(*command, **options).stdout


def run_whole(*command: str | Path, **options) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command], env=environment, capture_output=True, text=True, **options
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel built from it."""
    # Built in a copy, so that it neither litters the tree nor picks up what lies about in it.
    copy = tmp_path_factory.mktemp("source")
    for name in ("eventlog", *FOLDERS):
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    folder = tmp_path_factory.mktemp("dist")
    done = run_whole(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, copy, cwd=folder)
    # Whoever installs from a clone would read it, each time.
    assert "is absent from the" not in done.stdout + done.stderr
    return folder


def modules_in_tree() -> set[str]:
    names = {f"eventlog/{path.name}" for path in (ROOT / "eventlog").glob("*.py")}
    for folder in FOLDERS:
        names |= {f"eventlog/{path.relative_to(ROOT)}" for path in (ROOT / folder).rglob("*.py")}
    return names


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    imported = set()
    for name in modules_in_tree():
        for node in ast.walk(ast.parse((ROOT / name).read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").partition(".")[0])
    declared = import_names(PROJECT["project"]["dependencies"])
    extras = PROJECT["project"]["optional-dependencies"]
    of_remotes = [line for kind in ("azure", "gcs", "http", "s3", "sftp", "webdav") for line in extras[kind]]
    # fsspec imports it.
    not_imported = {"aiohttp"}
    optional = import_names(extras["hocon"] + extras["mlflow"] + extras["plots"] + of_remotes) - not_imported
    # What s3fs is made of.
    optional |= {"aiobotocore", "botocore"}
    # What is of their types is read and written with them; whoever has such a value has the package.
    callers_own = {"hydra", "matplotlib", "numpy", "omegaconf", "pandas"}
    assert imported - sys.stdlib_module_names - {"eventlog"} - callers_own - optional == declared
    assert optional <= imported


def import_names(requirements: list[str]) -> set[str]:
    """The modules of distributions, some of which have another name than these."""
    others = {"mlflow-skinny": "mlflow", "nvidia-ml-py": "pynvml", "pillow": "PIL", "pyyaml": "yaml"}
    names = {re.split(r"[<>=]", line)[0] for line in requirements}
    return {others.get(name, name) for name in names}


def test_every_package_of_the_tree_is_listed():
    packages = {"eventlog"} | {
        f"eventlog.{'.'.join(path.parent.relative_to(ROOT).parts)}"
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("__init__.py")
    }
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == packages


def test_each_folder_is_reached_by_a_relative_symlink():
    for folder in FOLDERS:
        assert (ROOT / "eventlog" / folder).readlink() == Path("..", folder)


def test_a_wheel_holds_each_module_once(distributions: Path):
    (wheel,) = distributions.glob("*.whl")
    own = re.compile(r"eventlog-[^/]+\.dist-info/")
    names = [name for name in zipfile.ZipFile(wheel).namelist() if not own.match(name)]
    stands_in = {
        f"eventlog/{path.relative_to(ROOT)}" for path in (ROOT / "sdk" / "as_clearml").glob("*.dist-info/*")
    }
    assert len(stands_in) == 3
    assert sorted(names) == sorted(modules_in_tree() | {"eventlog/py.typed"} | stands_in)


def test_a_source_distribution_holds_each_module_once(distributions: Path):
    (archive,) = distributions.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = [member.name.split("/", 1)[1] for member in tar if member.isfile()]
    in_packages = [
        name for name in names if name.endswith(".py") and name.split("/")[0] in {"eventlog", *FOLDERS}
    ]
    expected = {
        name.removeprefix("eventlog/") if name.split("/")[1] in FOLDERS else name
        for name in modules_in_tree()
    }
    assert sorted(in_packages) == sorted(expected)


def test_a_wheel_installed_elsewhere_works(distributions: Path, tmp_path: Path):
    (wheel,) = distributions.glob("*.whl")
    # The dependencies come from this interpreter, so that the test needs no network.
    venv.create(tmp_path / "venv", symlinks=True)
    python = tmp_path / "venv/bin/python"
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        wheel,
    )
    own = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    theirs = [path for path in sys.path if path.endswith("site-packages")]
    # Read as plain paths: a .pth file among them would bring in an editable installation of this tree.
    (own / "dependencies.pth").write_text("\n".join(theirs))
    script = tmp_path / "script.py"
    script.write_text(
        "import eventlog, eventlog.cli.main, eventlog.sdk, eventlog.sync, eventlog.projections\n"
        "from eventlog import Logger, Store, Task\n"
        "eventlog.install_as_clearml()\n"
        "import clearml, importlib.metadata\n"
        "assert importlib.metadata.version('clearml') == clearml.__version__ == '2.1.0'\n"
        "modules = (eventlog, eventlog.sdk, eventlog.cli.main, clearml)\n"
        "print(*(module.__file__ for module in modules), sep='\\n')\n"
    )
    for path in run(python, script, cwd=tmp_path).split():
        assert Path(path).is_relative_to(own)
    assert "Usage" in run(tmp_path / "venv/bin/eventlog", "--help", cwd=tmp_path)


def test_a_script_beside_folders_of_the_same_names_still_gets_eventlog(tmp_path: Path):
    for folder in FOLDERS:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text("raise SystemExit('the wrong one')")
    (tmp_path / "events.py").write_text("raise SystemExit('the wrong one')")
    (tmp_path / "script.py").write_text("from eventlog import Task\nprint(Task.__module__)")
    assert run(sys.executable, tmp_path / "script.py", cwd=tmp_path).strip() == "eventlog.sdk.task"


def modules_after(statement: str) -> set[str]:
    """The modules that a statement imports in a fresh interpreter."""
    program = (
        "import sys; before = set(sys.modules)\n"
        f"{statement}\n"
        "import json; print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    return set(json.loads(run(sys.executable, "-c", program)))


def test_import_eventlog_imports_nothing_else():
    assert {name for name in modules_after("import eventlog") if name.startswith("eventlog.")} == set()


def test_from_eventlog_import_task_imports_nothing_heavy():
    heavy = {"click", "fsspec", "git", "numpy", "pandas", "plotext", "pyarrow", "resource", "rich"}
    assert modules_after("from eventlog import Task") & heavy == set()


def test_the_facade_lists_and_resolves_every_public_name():
    import eventlog

    assert set(eventlog.__all__) <= set(dir(eventlog))
    for name in eventlog.__all__:
        assert getattr(eventlog, name) is not None


def test_the_facade_refuses_other_names():
    import eventlog

    with pytest.raises(AttributeError, match="no attribute 'Tusk'"):
        eventlog.Tusk  # noqa: B018
