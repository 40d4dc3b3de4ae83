"""An audit as a page to hand in: what happened, who did it where and when, and how to check that it is so."""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from eventlog import __version__
from eventlog.cli.audit_facts import AuditFacts, Proof
from eventlog.cli.curve import number
from eventlog.cli.metrics import of_machine
from eventlog.cli.moments import iso, size
from eventlog.cli.printing import counted
from eventlog.cli.report_page import Block, Code, Facts, Page, Section, Table
from eventlog.cli.wording import kind_of, wording
from eventlog.events import REPORTS, Parameter, ParametersDeleted, ParametersSet
from eventlog.kept_heads import heads_text

if TYPE_CHECKING:
    from eventlog.batch import NumberedEvent

__all__ = ["audit_page"]

# What is longer is summarised: a page is read by a person, and --format json has it all.
MOST_ROWS = 400
MOST_ALIKE = 6
LONGEST = 300
REPORT_KINDS = frozenset(kind.__name__ for kind in REPORTS)
# What comes from elsewhere is only put into a command that a person may run if it is nothing but this.
COMMIT = re.compile("[0-9a-f]{7,64}")
HISTORY_WORDS = (
    "Every state event of the task, in the order that is the same on every machine: when, what, who and"
    " where, its session and number in it, and the batch of that session's store that holds it."
)
CHAIN_WORDS = (
    "A batch names the SHA-256 of the one before it in its store, so the hash of a batch vouches for every"
    " byte of all before it. That each leads to its store's head can be checked with the log, not with this"
    " page alone."
)
LOG_WORDS = (
    "That the log still holds all that it held: save the lines of the heads as heads.txt, and hold any copy"
    " of the log against them, a store, a remote or a bundle. A log that was cut or written anew is named."
)
CHAIN_CHECK_WORDS = (
    "The same without eventlog, in the folder of a remote (docs/FORMAT.md describes it to the byte). This"
    " prints of each batch its number, the hash that it names, and its own hash: the second of a line is the"
    " third of the line before, and the third is what stands under Proof."
)
CHAIN_CHECK = """\
python3 -c '
import hashlib, pathlib
for path in sorted(pathlib.Path("stores/STORE").glob("*.segment")):
    data, at = path.read_bytes(), 8
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at:at + 4], "big")
        batch, at = data[at + 4:end], end
        print(int.from_bytes(batch[20:28], "big"), batch[28:60].hex(), hashlib.sha256(batch).hexdigest())
'"""
FILE_WORDS = (
    "That a file is the one named here, for instance the first: its bytes lie under their SHA-256 in the"
    " store and on every remote."
)
PAGE_WORDS = "That this page is the one that was handed in, if it was signed with an SSH key (--sign KEY):"
PAGE_CHECK = """\
ssh-keygen -Y verify -f allowed_signers -I NAME -n file -s PAGE.sig < PAGE"""
STATUS_WORDS = {
    "matches": "matches",
    "changed": "CHANGED",
    "missing": "not here",
    "elsewhere": "elsewhere",
}


def audit_page(facts: AuditFacts) -> Page:
    """The page of an audit."""
    state = facts.state
    name = f"{state.project}/{state.name}" if state.project else state.name
    as_of = f", as of {_when(facts.at)}" if facts.at is not None else ""
    made = f"{_when(facts.made)} on {facts.host}" + (f" by {facts.user}" if facts.user else "")
    return Page(
        f"Audit of {name}",
        f"Task {state.id}{as_of}. Made {made} with eventlog {__version__}. All times are UTC.",
        _verdict(facts),
        not facts.problems,
        [
            section
            for section in (
                _task(facts),
                _code(facts),
                _parameters(facts),
                _results(facts),
                _files(facts),
                _history(facts),
                _sessions(facts),
                _proof(facts),
                _how_to_check(facts),
            )
            if section.blocks
        ],
    )


def _verdict(facts: AuditFacts) -> str:
    named = [one for one in facts.files if one.sha256]
    here = sum(one.status == "matches" for one in named)
    if named:
        files = f"{here} of {counted(len(named), 'file')} that its events name by SHA-256 are here and match"
    else:
        files = "Its events name no files by SHA-256"
    if not facts.problems:
        checked = f"{counted(facts.report.batches, 'batch')} of {counted(facts.report.stores, 'store')}"
        return f"The log is sound: {checked} were checked from the bytes up for this report. {files}."
    return f"{counted(len(facts.problems), 'problem')} found, named under Proof. {files}."


def _task(facts: AuditFacts) -> Section:
    state = facts.state
    rows = [
        ("Status", f"{state.status}{f' ({state.status_reason})' if state.status_reason else ''}"),
        ("Message", state.status_message),
        ("Type", state.type),
        ("Tags", ", ".join((*state.tags, *state.system_tags))),
        ("Comment", state.comment),
        ("Parent", state.parent),
        ("Created", _when(state.created)),
        ("Started", _when(state.started)),
        ("Ended", _when(state.ended)),
        ("Published", _when(state.published)),
        ("Reset", _when(state.reset_time)),
        ("Ran on", " by ".join(part for part in (state.host, state.user) if part)),
        ("Progress", "" if state.progress is None else f"{state.progress}%"),
        ("Dropped", f"{state.dropped} reports had no room" if state.dropped else ""),
        ("Unknown", f"{state.unknown} events of a newer eventlog" if state.unknown else ""),
    ]
    blocks: list[Block] = [Facts(rows)]
    if state.traceback:
        blocks.append(Code(state.traceback))
    return Section("Task", blocks)


def _code(facts: AuditFacts) -> Section:
    execution = facts.state.execution
    if execution is None:
        return Section("Code and environment")
    diff, script = execution.diff, execution.script
    changes = "none recorded"
    if execution.diff_blob:
        changes = f"SHA-256 {execution.diff_blob} (more than 64 KiB; see Files)"
    elif diff:
        changes = f"SHA-256 {_sha256(diff)}, {size(len(diff.encode()))}; eventlog show has the text"
    container = facts.state.container
    rows = [
        ("Repository", execution.repository),
        ("Branch", execution.branch),
        ("Commit", execution.commit),
        ("Uncommitted changes", changes if execution.commit or execution.repository or diff else ""),
        ("Entry point", execution.entry_point),
        ("Script", f"SHA-256 {_sha256(script)}, {size(len(script.encode()))}" if script else ""),
        ("Working folder", execution.working_folder),
        ("Command", " ".join(execution.command)),
        ("Python", execution.python),
        ("Platform", execution.platform),
        ("Container", f"{container.image} {container.arguments}".strip() if container else ""),
        ("Imported", ", ".join(f"{name} {one}".strip() for name, one in sorted(execution.imported.items()))),
    ]
    blocks: list[Block] = [Facts(rows)]
    if execution.packages:
        blocks.append(f"Packages ({len(execution.packages)}):")
        blocks.append(Code(" ".join(f"{name}=={one}" for name, one in sorted(execution.packages.items()))))
    return Section("Code and environment", blocks)


def _parameters(facts: AuditFacts) -> Section:
    state = facts.state
    blocks: list[Block] = []
    if state.parameters:
        rows = [(name, _short(one.value), one.type) for name, one in sorted(state.parameters.items())]
        blocks.append(Table(("Parameter", "Value", "Type"), rows))
    changes = list(_changes(facts))
    if changes:
        blocks.append("Changes after they were first set:")
        blocks += _limited(Table(("Time", "Parameter", "From", "To", "By"), changes, frozenset({0})))
    if state.properties:
        rows = [(name, _short(one.value), one.type) for name, one in sorted(state.properties.items())]
        blocks.append(Table(("Property", "Value", "Type"), rows))
    if state.configurations:
        texts = [
            (name, one.type, one.blob or _sha256(one.text))
            for name, one in sorted(state.configurations.items())
        ]
        blocks.append(Table(("Configuration", "Type", "SHA-256"), texts, frozenset({2})))
    if state.labels:
        labels = sorted(state.labels.items())
        blocks.append(Table(("Label", "Number"), [(name, str(one)) for name, one in labels]))
    return Section("Parameters", blocks)


def _changes(facts: AuditFacts) -> Iterator[tuple[str, ...]]:
    """Values of parameters that took the place of others, as time went on."""
    values: dict[str, Parameter] = {}
    for numbered in facts.history:
        event = numbered.event
        if isinstance(event, ParametersSet):
            gone = values.keys() - event.parameters.keys() if event.replace else set()
            new: dict[str, Parameter | None] = {**dict.fromkeys(sorted(gone)), **event.parameters}
        elif isinstance(event, ParametersDeleted):
            new = dict.fromkeys(name for name in event.names if name in values)
        else:
            continue
        for name, parameter in new.items():
            before = values.pop(name, None)
            if parameter is not None:
                values[name] = parameter
            if before is not None and (parameter is None or parameter.value != before.value):
                after = "(deleted)" if parameter is None else _short(parameter.value)
                yield _when(event.time), name, _short(before.value), after, _who(facts, numbered)


def _results(facts: AuditFacts) -> Section:
    blocks: list[Block] = []
    if facts.state.single_values:
        rows = [(name, number(value)) for name, value in sorted(facts.state.single_values.items())]
        blocks.append(Table(("Value", ""), rows, right=frozenset({1})))
    own = [one for one in facts.series if not of_machine(one)]
    if own:
        rows5 = [
            (
                one.title,
                one.series,
                number(one.last),
                number(one.minimum),
                number(one.maximum),
                f"{one.count:,}",
                f"{one.first_iteration}-{one.last_iteration}",
            )
            for one in own
        ]
        headings = ("Metric", "Series", "Last", "Min", "Max", "Points", "Iterations")
        blocks += _limited(Table(headings, rows5, right=frozenset({2, 3, 4, 5, 6})))
    counts = [(kind, f"{count:,}") for kind, count in sorted(facts.counts.items()) if kind in REPORT_KINDS]
    if counts:
        blocks.append("Reports in the log, among them those from before a reset, and of the machine:")
        blocks.append(Table(("Kind", "Events"), counts, right=frozenset({1})))
    return Section("Results", blocks)


def _files(facts: AuditFacts) -> Section:
    if not facts.files:
        return Section("Files")
    rows = [
        (
            one.what,
            one.name,
            "" if one.size is None else f"{one.size:,}",
            one.sha256 or one.url,
            ", ".join(part for part in (STATUS_WORDS[one.status], one.fate) if part),
        )
        for one in facts.files
    ]
    table = Table(("File", "Name", "Bytes", "SHA-256", "Status"), rows, frozenset({3}), right=frozenset({2}))
    return Section("Files", _limited(table))


def _history(facts: AuditFacts) -> Section:
    proofs = facts.proofs_by_session()
    rows: list[tuple[str, ...]] = []
    for _, alike in groupby(facts.history, key=lambda one: (kind_of(one.event), one.session)):
        events = list(alike)
        shown = events if len(events) <= MOST_ALIKE else [*events[:2], events[-1]]
        for place, one in enumerate(shown):
            if place == 2 and shown is not events:
                rows.append(("…", kind_of(one.event), f"{len(events) - 3:,} more of them", "", "", ""))
            rows.append(
                (
                    _when(one.event.time, precise=True),
                    kind_of(one.event),
                    _short(wording(one.event).replace("\n", " ")),
                    _who(facts, one),
                    f"{one.session.hex()[:8]}:{one.number}",
                    _batch_of(one, proofs),
                )
            )
    headings = ("Time", "Event", "What it says", "By", "Session", "Batch")
    return Section(
        "History",
        [HISTORY_WORDS, *_limited(Table(headings, rows, frozenset({0, 4, 5})))],
    )


def _sessions(facts: AuditFacts) -> Section:
    rows = []
    for session in dict.fromkeys(proof.session for proof in facts.proofs):
        one = facts.sessions.get(session)
        if one is None:
            continue
        end = f"{_when(one.ended)} ({one.reason})" if one.ended else "not here"
        process = f"{one.user}@{one.host}, process {one.process}"
        rows.append(
            (session.hex(), process, _short(" ".join(one.command)), one.program, _when(one.started), end)
        )
    if not rows:
        return Section("Sessions")
    headings = ("Session", "Who and where", "Command", "Program", "Began", "Ended")
    return Section("Sessions", _limited(Table(headings, rows, frozenset({0}))))


def _proof(facts: AuditFacts) -> Section:
    blocks: list[Block] = []
    if facts.problems:
        blocks.append(Code("\n".join(facts.problems[:MOST_ROWS])))
        if facts.problems[MOST_ROWS:]:
            blocks.append(f"… and {len(facts.problems) - MOST_ROWS:,} problems more: run eventlog verify.")
    models = f", and {counted(len(facts.of_models), 'event')} of its models," if facts.of_models else ""
    held = f"The task's {facts.counts.total():,} events{models} lie in {counted(len(facts.proofs), 'batch')}."
    blocks.append(f"{held} {CHAIN_WORDS}")
    headings = ("Store", "Batch", "SHA-256 of the batch", "Session", "Events", "Of the task")
    rows = [
        (
            one.store.hex()[:8],
            str(one.number),
            one.sha256,
            one.session.hex()[:8],
            f"{one.first}-{one.last}",
            f"{one.events:,}",
        )
        for one in facts.proofs
    ]
    table = Table(headings, rows, frozenset({0, 1, 2, 3, 4}), right=frozenset({5}))
    blocks += _limited(table)
    blocks.append("Heads of the stores that hold them when this was made, as eventlog head prints them:")
    blocks.append(Code(_heads(facts)))
    return Section("Proof", blocks)


def _how_to_check(facts: AuditFacts) -> Section:
    blocks: list[Block] = [LOG_WORDS, Code("eventlog verify COPY --against heads.txt")]
    for store in sorted({proof.store.hex() for proof in facts.proofs}):
        blocks += [CHAIN_CHECK_WORDS, Code(CHAIN_CHECK.replace("STORE", store))]
    file = next((one for one in facts.files if one.status == "matches"), None)
    if file is not None:
        place = f"blobs/{file.sha256[:2]}/{file.sha256}"
        blocks += [FILE_WORDS, Code(f"echo '{file.sha256}  {place}' | sha256sum --check")]
    execution = facts.state.execution
    if execution is not None and COMMIT.fullmatch(execution.commit):
        blocks += ["That the code is the one named here:", Code(f"git show --no-patch {execution.commit}")]
    return Section("How to check this", [*blocks, PAGE_WORDS, Code(PAGE_CHECK)])


def _heads(facts: AuditFacts) -> str:
    stores = {proof.store for proof in facts.proofs}
    return heads_text({store: head for store, head in facts.report.heads.items() if store in stores})


def _batch_of(one: "NumberedEvent", proofs: dict[bytes, list[Proof]]) -> str:
    of_session = proofs.get(one.session, [])
    place = bisect_right(of_session, one.number, key=lambda proof: proof.first) - 1
    if place < 0 or of_session[place].last < one.number:
        return ""
    return str(of_session[place].number)


def _who(facts: AuditFacts, one: "NumberedEvent") -> str:
    session = facts.sessions.get(one.session)
    return f"{session.user}@{session.host}" if session else ""


def _limited(table: Table) -> list[Block]:
    """A table, its middle left out where it would be longer than a person reads."""
    rows: Sequence[Sequence[str]] = table.rows
    if len(rows) <= MOST_ROWS:
        return [table]
    half = MOST_ROWS // 2
    left_out = f"{len(rows) - 2 * half:,} rows between these are left out: --format json has all."
    first, second = (
        Table(table.headings, part, table.code, table.right) for part in (rows[:half], rows[-half:])
    )
    return [first, left_out, second]


def _when(milliseconds: int | None, *, precise: bool = False) -> str:
    """In UTC, "2026-11-20 13:00:05", with milliseconds if `precise`."""
    said = iso(milliseconds)
    if said is None:
        return f"{milliseconds} ms" if milliseconds else ""
    return said.replace("T", " ")[: 23 if precise else 19]


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({len(text):,} characters)"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
