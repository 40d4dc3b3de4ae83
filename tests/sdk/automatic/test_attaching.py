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
