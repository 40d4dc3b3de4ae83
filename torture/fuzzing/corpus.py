"""Real bytes to begin with: what the real writers make of a small store, built once in each process."""

import atexit
import json
import shutil
import tempfile
import zlib
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints
from unittest.mock import patch

import msgspec

from eventlog.batch import Batch
from eventlog.chunk import FRAME, FRAMES_START, Chunk
from eventlog.events import EVENT_KINDS, Event, Parameter, encode_event
from eventlog.kept_heads import heads_text
from eventlog.store import Store
from eventlog.sync import push
from eventlog.sync.bundle import export_bundle
from torture.fuzzing.trees import Tree, files_below

__all__ = [
    "NOW",
    "SESSION",
    "STORE",
    "TASK",
    "absent_list",
    "batches",
    "bundle",
    "chunk",
    "clearml_session",
    "encoded_events",
    "heads",
    "home",
    "remote",
]

TASK = "7a" * 16
STORE, SESSION = bytes(range(16)), bytes(range(16, 32))
NOW = 1_790_000_000_000
_VALUES: dict[Any, Any] = {
    int: 5,
    str: "text",
    bool: True,
    float: 0.5,
    list[str]: ["one", "two"],
    dict[str, str]: {"numpy": "2.0"},
    dict[str, int]: {"cat": 1},
    dict[str, Parameter]: {"General/rate": Parameter("0.1", "float", "how fast")},
}


@cache
def sample_events() -> list[Event]:
    """One event of every kind, and of every kind one that names a blob, if it can."""
    made = []
    for kind in EVENT_KINDS.values():
        hints = get_type_hints(kind)
        fields = {name: _value(hints[name]) for name in kind.__struct_fields__}
        fields |= {"time": NOW, "task": TASK}
        fields |= {name: "" for name in ("blob", "diff_blob") if name in fields}
        made.append(kind(**fields))
    return made


@cache
def encoded_events() -> list[bytes]:
    """The same, encoded, and one of a kind that nobody knows."""
    return [*map(encode_event, sample_events()), msgspec.msgpack.encode(["Invented", NOW, TASK, {"a": [1]}])]


@cache
def batches() -> list[bytes]:
    """The batches of a store."""
    with Store.open(_made() / "home") as store:
        return [batch.data for batch in store.batches(store.id)]


@cache
def heads() -> bytes:
    """The heads of a store, as they are kept."""
    last = Batch.read(batches()[-1])
    return heads_text({last.store: (last.number, last.hash), STORE: (7, bytes(32))}).encode()


@cache
def chunk() -> bytes:
    """A chunk of a journal, smaller than those that are really allocated."""
    payloads = encoded_events()
    folder = Path(tempfile.mkdtemp(prefix="eventlog-chunk-"))
    try:
        size = FRAMES_START + sum(len(one) + FRAME.size for one in payloads) + 200
        written = Chunk.allocate(folder / "chunk", size, mapped=False)
        with patch.object(written, "seed", 77):
            written.begin(STORE, SESSION, 0)
            for payload in payloads:
                written.put(payload)
        return (folder / "chunk").read_bytes()
    finally:
        shutil.rmtree(folder)


@cache
def remote() -> Tree:
    """A remote, all its objects by name."""
    return files_below(_made() / "remote")


@cache
def bundle() -> bytes:
    """A bundle, which is an exported offline session, too."""
    return (_made() / "bundle.zip").read_bytes()


@cache
def home() -> Tree:
    """The files of a closed store's home: its log, its blobs, its journals."""
    return files_below(_made() / "closed")


@cache
def absent_list() -> bytes:
    """A list of absent blobs."""
    return b"".join(b"%064x\n" % number for number in (3, 4, 5 << 240))


@cache
def clearml_session() -> Tree:
    """A session as ClearML 2.1 writes it offline; the form was read off real ones."""
    identity = "offline-" + "4c" * 16
    folder = f"/home/somebody/.clearml/cache/offline/{identity}"
    task = {
        "id": identity,
        "name": "a cluster's task",
        "project_name": "far away",
        "type": "training",
        "status": "completed",
        "started": "2026-11-20T12:00:00.000000+00:00",
        "offline_folder": folder,
        "tags": ["a", "b"],
        "comment": "said",
        "parent": "offline-" + "5d" * 16,
        "hyperparams": {"Args": {"rate": {"value": "0.1", "type": "float", "description": "how fast"}}},
        "configuration": {"net": {"value": "a = 1", "type": "dictionary", "description": ""}},
        "container": {"image": "python:3.11", "arguments": "-e A=1", "setup_shell_script": "true"},
        "script": {
            "repository": "https://user:secret@example.org/x.git",
            "diff": "+ line",
            "requirements": {"pip": "# Python 3.11\nnumpy==2.0\n"},
            "binary": "python3.11",
        },
        "execution": {
            "artifacts": [
                {
                    "key": "numbers",
                    "uri": f"{folder}/data/numbers.json",
                    "type": "dict",
                    "timestamp": 1_790_000_001,
                    "type_data": {"preview": "1"},
                    "display_data": [["size", "7"]],
                }
            ],
            "model_labels": {"cat": 1},
            "parameters": {"old": "1"},
        },
        "models": {"input": [{"name": "in", "model": "6e" * 16}]},
        "offline_output_models": [
            {
                "id": "offline-" + "8f" * 16,
                "init": {
                    "name": "net",
                    "framework": "PyTorch",
                    "label_enumeration": {"cat": 1},
                    "tags": ["x"],
                },
                "weights": {"weights_filename": f"{folder}/models/net.pt", "iteration": 3},
            }
        ],
        "runtime": {"progress": "50"},
    }
    about = {"task": identity, "metric": "loss", "variant": "train", "iter": 1, "timestamp": NOW}
    figure = {"data": [{"y": [1, 2]}], "layout": {"images": [{"source": f"{folder}/data/dot.png"}]}}
    scalar = {**about, "type": "training_stats_scalar"}
    metrics: list[Any] = [
        [{**scalar, "value": 0.5}, {**about, "type": "plot", "plot_str": json.dumps(figure)}],
        [{**about, "type": "training_debug_image", "url": f"file://{folder}/data/dot.png"}],
        [{**scalar, "metric": "Summary", "iter": -(1 << 31), "value": 1}],
    ]
    log = [[{"type": "log", "task": identity, "level": "info", "msg": "half way\n", "timestamp": NOW + 5}]]
    return {
        "task.json": json.dumps(task).encode(),
        "metrics.jsonl": b"".join(json.dumps(line).encode() + b"\n" for line in metrics),
        "log.jsonl": b"".join(json.dumps(line).encode() + b"\n" for line in log),
        "data/numbers.json": b'{"a":1}',
        "data/dot.png": b"\x89PNG",
        "models/net.pt": bytes(range(256)),
    }


@cache
def _made() -> Path:
    """A folder with a store, its remote and its bundle; gone when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="eventlog-corpus-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with Store.open(folder / "home") as store:
        digest = store.blobs.put_bytes(b"weights " * 50)
        for turn in range(3):
            for event in sample_events():
                fields = list(msgspec.structs.astuple(event))[1:]
                names = event.__struct_fields__[1:]
                if turn:
                    fields = [
                        digest if name == "blob" else one for name, one in zip(names, fields, strict=True)
                    ]
                if not type(event).__name__.startswith("Session"):
                    store.session.append(type(event), *fields)
            store.flush()
            push(store, folder / "remote")
        export_bundle(store, folder / "bundle.zip")
        identity = store.id
    (folder / "remote" / "absent").mkdir(exist_ok=True)
    (folder / "remote" / "absent" / ("5e" * 16)).write_bytes(absent_list())
    # One without views, which is what is carried from elsewhere, and with the journal of one that died.
    shutil.copytree(folder / "home", folder / "closed", ignore=shutil.ignore_patterns("views", "cache"))
    journal = folder / "closed" / "journals" / SESSION.hex()
    journal.mkdir(parents=True)
    (journal / "lock").write_text("17\nhost\nboot")
    (journal / "000000").write_bytes(_chunk_of(identity))
    return folder


def _chunk_of(store: bytes) -> bytes:
    head = chunk()[:4] + store + chunk()[20:48]
    return head + zlib.crc32(head).to_bytes(4, "big") + chunk()[52:]


def _value(hint: Any) -> Any:
    if hint in _VALUES:
        return _VALUES[hint]
    return next((_VALUES[one] for one in getattr(hint, "__args__", ()) if one in _VALUES), "text")
