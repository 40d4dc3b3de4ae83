"""What a script prints and logs is in its task's console, and on its own as if nothing was captured."""

from eventlog import Task
from eventlog.projections.text import TextLine
from eventlog.sdk.stores import current_views
from tests.sdk.scripts import Scripts


def reported(task: Task) -> list[TextLine]:
    return list(current_views(task._store, reports=True).text(task.id))


def lines(task: Task) -> list[tuple[int, str]]:
    return [(line.level, line.text) for line in reported(task)]


def console(scripts: Scripts, text: str, *, out: str = "", err: str | None = "") -> list[tuple[int, str]]:
    """What is reported of a script in which a task is open."""
    script = scripts.run("from eventlog import Task\nimport sys, logging\n" + text)
    assert script.out == out
    assert err is None or script.err == err
    (task,) = Task.get_tasks()
    return lines(task)


INIT = "task = Task.init(project_name='tests/auto', task_name='console')\n"


def test_lines_are_reported_as_they_are_printed(scripts: Scripts) -> None:
    text = INIT + "print('one'); print('two', 2, end='!\\n'); print('three\\nfour'); print()\n"
    text += "sys.stderr.write('five\\n')\n"
    kept = console(scripts, text, out="one\ntwo 2!\nthree\nfour\n\n", err="five\n")
    assert kept == [(20, "one"), (20, "two 2!"), (20, "three"), (20, "four"), (20, ""), (40, "five")]


def test_of_a_progress_bar_the_last_state_is_reported(scripts: Scripts) -> None:
    text = INIT + "for i in range(3): print(f'\\r{i}%', end='', file=sys.stderr)\n"
    text += "print('\\r100%', file=sys.stderr)\n"
    text += "for i in range(3): print(f'{i} of 3', end='\\r')\n"
    text += "print()\n"
    # As read by the test, which takes each carriage return for the end of a line.
    kept = console(scripts, text, out="0 of 3\n1 of 3\n2 of 3\n", err="\n0%\n1%\n2%\n100%\n")
    assert kept == [(40, "100%"), (20, "2 of 3")]


def test_a_line_without_an_end_is_reported_at_the_end(scripts: Scripts) -> None:
    assert console(scripts, INIT + "print('half a line', end='')", out="half a line") == [(20, "half a line")]


def test_megabytes_without_a_newline_are_kept_whole(scripts: Scripts) -> None:
    text = INIT + "for _ in range(40): print('x' * 100_000, end='')\n"
    script = scripts.run("from eventlog import Task\n" + text)
    assert len(script.out) == 4_000_000
    (task,) = Task.get_tasks()
    kept = 0
    for line in reported(task):
        kept += task._store.blobs.path(line.blob).stat().st_size if line.blob else len(line.text)
    assert kept == 4_000_000


def test_a_long_line_of_small_pieces_is_kept_whole(scripts: Scripts) -> None:
    text = INIT + "print('a\\rb', end='')\n"
    text += "for i in range(6_000): print(i % 10, end='')\n"
    text += "print('\\rc', end='')\nfor i in range(6_000): print(i % 10, end='')\nprint('', 'end')\n"
    whole = "0123456789" * 600
    assert console(scripts, text, out=f"a\nb{whole}\nc{whole} end\n") == [(20, f"c{whole} end")]


def test_what_is_printed_as_the_interpreter_ends_is_written(scripts: Scripts) -> None:
    text = INIT + "import os\nclass Late:\n    def __del__(self): print('late', flush=True)\nlate = Late()\n"
    text += "if child := os.fork(): os.waitpid(child, 0)\n"
    console(scripts, text, out="late\nlate\n")


def test_what_is_logged_has_its_level(scripts: Scripts) -> None:
    text = INIT + "logging.warning('careful'); logging.info('not shown')\n"
    text += "logging.basicConfig(format='%(message)s', level=logging.DEBUG, force=True, stream=sys.stdout)\n"
    text += "logging.debug('a detail'); print('printed')\n"
    kept = console(scripts, text, out="a detail\nprinted\n", err="WARNING:root:careful\n")
    assert kept == [(30, "WARNING:root:careful"), (10, "a detail"), (20, "printed")]


def test_streams_are_chosen_one_by_one(scripts: Scripts) -> None:
    begin = "Task.init('tests/auto', 'console', auto_connect_streams={})\n"
    speak = "print('out'); print('err', file=sys.stderr); logging.warning('logged')\n"
    said = "err\nWARNING:root:logged\n"
    for chosen, kept in (
        ("{'stdout': True}", [(20, "out")]),
        ("{'stderr': True}", [(40, "err"), (40, "WARNING:root:logged")]),
        ("{'logging': True}", [(30, "WARNING:root:logged")]),
        ("False", []),
        ("{}", []),
    ):
        assert console(scripts, begin.format(chosen) + speak, out="out\n", err=said)[-3:] == kept


def test_report_text_is_in_the_console_once(scripts: Scripts) -> None:
    text = INIT + "task.get_logger().report_text('said', level=30)\n"
    assert console(scripts, text, out="said\n") == [(30, "said")]


def test_threads_do_not_mix_their_lines(scripts: Scripts) -> None:
    text = (
        INIT
        + """
import threading
def speak(name):
    for i in range(200):
        print(f'{name} {i}')
threads = [threading.Thread(target=speak, args=(name,)) for name in "abcd"]
[one.start() for one in threads]; [one.join() for one in threads]
"""
    )
    script = scripts.run("from eventlog import Task\n" + text)
    assert script.out.count("\n") == 800
    (task,) = Task.get_tasks()
    kept = [text for _, text in lines(task)]
    assert sorted(kept) == sorted(f"{name} {i}" for name in "abcd" for i in range(200))


def test_a_stream_that_cannot_be_written_raises_as_before(scripts: Scripts) -> None:
    text = INIT
    text += "sys.stdout.reconfigure(encoding='ascii')\n"
    text += "try: print('caf\\u00e9')\nexcept UnicodeEncodeError: print('refused')\n"
    text += "sys.stdout.reconfigure(errors='surrogateescape'); print('bytes \\udcff')\n"
    script = scripts.start("from eventlog import Task\nimport sys\n" + text)
    assert script.process.wait(60) == 0
    (task,) = Task.get_tasks()
    assert [one for _, one in lines(task)] == ["refused", "bytes ?"]


def test_the_streams_are_as_before_when_the_task_has_ended(scripts: Scripts) -> None:
    text = "before = sys.stdout, sys.stdout.write, sys.stderr.write, logging.StreamHandler.emit\n" + INIT
    text += "assert sys.stdout is before[0] and sys.stdout.write != before[1]\n"
    text += "task.close(); print('after')\n"
    text += "assert (sys.stdout, sys.stdout.write, sys.stderr.write, logging.StreamHandler.emit) == before\n"
    assert console(scripts, text, out="after\n") == []


def test_what_is_printed_while_the_interpreter_goes_away_is_printed(scripts: Scripts) -> None:
    # As progress bars do that are still open then.
    text = INIT + "import builtins\nclass Late:\n    write = sys.stderr.write\n"
    text += "    def __del__(self): Late.write('late\\n')\n"
    text += "builtins.late = Late()\n"
    assert console(scripts, text, err="late\n") == []
