"""Hooks are attached when a script imports a library, before or after `Task.init`, and never import one."""

from tests.sdk.scripts import Scripts

# A library that has hooks: one that is nobody's, so that it is the test's own.
LIBRARY = """
def save(path):
    return path
"""
BINDING = """
import sys
import types
from eventlog.sdk.automatic import attaching

def bind(module):
    from eventlog.sdk.automatic.hooks import after
    after(module, "save", "pytorch", lambda task, call: print("heard", call.result))

binding = types.ModuleType("eventlog.sdk.automatic.own_binding")
binding.bind = bind
sys.modules[binding.__name__] = binding
attaching.FRAMEWORKS["own_library"] = "own_binding:bind"
"""


def run(scripts: Scripts, text: str) -> str:
    scripts.folder.mkdir(parents=True, exist_ok=True)
    (scripts.folder / "own_library.py").write_text(LIBRARY)
    (scripts.folder / "own_hooks.py").write_text(BINDING)
    return scripts.run(text).out


def test_a_library_imported_after_the_task_has_begun_is_heard(scripts: Scripts) -> None:
    out = run(
        scripts,
        """
        import own_hooks
        from eventlog import Task
        Task.init(project_name="tests/auto", task_name="a task")
        import own_library
        own_library.save("a")
        """,
    )
    assert out == "heard a\n"


def test_a_library_imported_before_the_task_has_begun_is_heard(scripts: Scripts) -> None:
    out = run(
        scripts,
        """
        import own_hooks, own_library
        from own_library import save
        from eventlog import Task
        Task.init(project_name="tests/auto", task_name="a task")
        own_library.save("a")
        """,
    )
    assert out == "heard a\n"


def test_a_framework_that_is_off_is_not_heard(scripts: Scripts) -> None:
    for choice in ("False", "{'pytorch': False}"):
        out = run(
            scripts,
            f"""
            import own_hooks
            from eventlog import Task
            Task.init("tests/auto", "a task", auto_connect_frameworks={choice})
            import own_library
            print(own_library.save("a"))
            """,
        )
        assert out == "a\n"


def test_no_library_is_imported_because_of_us(scripts: Scripts) -> None:
    out = run(
        scripts,
        """
        import sys
        from eventlog import Task
        task = Task.init(project_name="tests/auto", task_name="a task")
        hooked = {"wrapt", "numpy", "torch", "matplotlib", "tensorflow", "click", "fire", "hydra", "absl"}
        print(sorted(hooked & set(sys.modules)))
        """,
    )
    assert out == "[]\n"


def test_threads_that_import_a_package_and_its_parts_do_not_wait_for_each_other(scripts: Scripts) -> None:
    package = scripts.folder / "own_package"
    package.mkdir(parents=True, exist_ok=True)
    # It is imported while another thread looks for its part.
    (package / "__init__.py").write_text(
        "import importlib, threading\n"
        "asked = threading.Event()\n"
        "asked.wait(10)\n"
        "for number in range(300):\n"
        "    try: importlib.import_module(f'no_such_module_{number}')\n"
        "    except ImportError: pass\n"
    )
    (package / "part.py").write_text(LIBRARY)
    out = run(
        scripts,
        """
        import importlib, os, sys, threading
        import own_hooks
        from eventlog import Task
        from eventlog.sdk.automatic import attaching
        attaching.FRAMEWORKS["own_package.part"] = "own_binding:bind"
        Task.init(project_name="tests/auto", task_name="a task")

        class Asked:
            def find_spec(self, name, path=None, target=None):
                if name == "own_package.part":
                    sys.modules["own_package"].asked.set()

        sys.meta_path.insert(0, Asked())
        whole = threading.Thread(target=importlib.import_module, args=("own_package",), daemon=True)
        whole.start()
        while not hasattr(sys.modules.get("own_package"), "asked"):
            pass
        part = threading.Thread(target=importlib.import_module, args=("own_package.part",), daemon=True)
        part.start()
        for thread in (whole, part):
            thread.join(30)
            if thread.is_alive():
                os._exit(9)
        sys.modules["own_package.part"].save("a")
        """,
    )
    assert out == "heard a\n"


def test_a_module_has_the_loader_that_it_would_have(scripts: Scripts) -> None:
    out = run(
        scripts,
        """
        import own_hooks, importlib.util
        from eventlog import Task
        Task.init(project_name="tests/auto", task_name="a task")
        loader = importlib.util.find_spec("own_library").loader
        assert isinstance(loader, importlib.machinery.SourceFileLoader)
        import own_library
        print(type(own_library.__loader__).__name__, type(own_library.__spec__.loader).__name__)
        own_library.save("a")
        """,
    )
    assert out == "SourceFileLoader SourceFileLoader\nheard a\n"


def test_a_library_that_is_half_installed_is_one_warning(scripts: Scripts) -> None:
    scripts.folder.mkdir(parents=True, exist_ok=True)
    (scripts.folder / "torch.py").write_text("def __getattr__(name): raise RuntimeError(f'no {name}')\n")
    script = scripts.run(
        """
        import torch
        from eventlog import Task
        Task.init(project_name="tests/auto", task_name="a task")
        print("goes on")
        """
    )
    assert script.out == "goes on\n"
    assert script.err.count("eventlog:") == 1
    assert "what torch does could not be recorded" in script.err
