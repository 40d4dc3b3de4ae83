"""What a push to S3 and a pull from it take, beside boto3 and rclone with the same files and the same server.

The server is moto's, on loopback: so the figures are ratios within one run, not rates that a network gives.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

from benchmarks.artifact_store import SMALL_SIZE, make_artifacts
from benchmarks.benchmark import Benchmark, Place, Row

__all__ = ["BENCHMARK"]

LARGE = 128 << 20
SMALL = 300
BUCKET = "bench"
JOBS = 16


def measure(place: Place) -> dict[str, float]:
    from eventlog.store import Store
    from eventlog.sync import pull, push, unpushed

    figures: dict[str, float] = {}
    with _server(place.folder) as endpoint:
        client = _client(endpoint)
        client.create_bucket(Bucket=BUCKET)
        for name, sizes in (("large", [place.size(LARGE)]), ("small", [SMALL_SIZE] * place.size(SMALL))):
            folder = place.folder / f"{name}-{place.round}"
            make_artifacts(folder / "from", sizes)
            blobs = [path for path in (folder / "from" / "blobs").rglob("*") if path.is_file()]
            url = f"s3://{BUCKET}/{name}-eventlog"
            copies = folder / "copies"
            copies.mkdir()
            uploaded = _seconds(partial(_each, partial(_upload, client, name), blobs))
            downloaded = _seconds(partial(_each, partial(_download, client, name, copies), blobs))
            rclone = _rclone(endpoint, folder / "from" / "blobs", f"{name}-rclone")
            with Store.open(folder / "from") as store:
                # What a process pays once is not counted, here or of boto3.
                unpushed(store, url)
                pushed = _seconds(partial(push, store, url))
            with Store.open(folder / "to") as store:
                pulled = _seconds(partial(pull, store, url))
                if len(list(store.blobs)) != len(sizes):
                    raise AssertionError("not all blobs came")
            figures |= {
                f"{name}_push": uploaded / pushed,
                f"{name}_pull": downloaded / pulled,
                f"{name}_rclone": rclone / pushed,
            }
            shutil.rmtree(folder)
    return figures


def _client(endpoint: str) -> Any:
    import boto3

    os.environ |= {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    return boto3.client("s3")


def _upload(client: Any, name: str, path: Path) -> None:
    client.upload_file(str(path), BUCKET, f"{name}-boto3/{path.name}")


def _download(client: Any, name: str, folder: Path, path: Path) -> None:
    client.download_file(BUCKET, f"{name}-boto3/{path.name}", str(folder / path.name))


def _each(work: "partial[None]", paths: list[Path]) -> None:
    with ThreadPoolExecutor(JOBS) as pool:
        list(pool.map(work, paths))


def _rclone(endpoint: str, source: Path, target: str) -> float:
    """Seconds that rclone takes to upload a folder; not a number where it is not installed."""
    if not shutil.which("rclone"):
        return float("nan")
    settings = {"TYPE": "s3", "PROVIDER": "Other", "ENV_AUTH": "true", "ENDPOINT": endpoint}
    environment = os.environ | {f"RCLONE_CONFIG_BENCH_{name}": value for name, value in settings.items()}
    # It takes none where it speaks plain HTTP.
    environment.pop("AWS_CA_BUNDLE", None)
    command = ["rclone", "copy", str(source), f"bench:{BUCKET}/{target}", "--transfers", str(JOBS)]
    return _seconds(partial(subprocess.run, command, env=environment, check=True))


def _seconds(work: "partial[Any]") -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (folder / "moto.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        deadline = perf_counter() + 60
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/data.json", timeout=5).close()
                break
            if perf_counter() > deadline or process.poll() is not None:
                raise RuntimeError(f"moto's server did not start: see {folder / 'moto.log'}")
            sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


BENCHMARK = Benchmark(
    title=f"one artifact of {LARGE >> 20} MiB, and {SMALL} of {SMALL_SIZE >> 10} KiB, with moto's server",
    rows=(
        Row("large_push", "push of the large one, over boto3", "×", 0.8, at_least=True),
        Row("large_pull", "pull of the large one, over boto3", "×", 0.8, at_least=True),
        Row(
            "small_push",
            "push of the small ones, over boto3, 16 at once",
            "×",
            0.8,
            at_least=True,
        ),
        Row(
            "small_pull",
            "pull of the small ones, over boto3, 16 at once",
            "×",
            0.8,
            at_least=True,
        ),
        Row("large_rclone", "push of the large one, over rclone", "×"),
        Row("small_rclone", "push of the small ones, over rclone, 16 at once", "×"),
    ),
    measure=measure,
    rounds=3,
    needs=("boto3", "moto", "s3fs"),
)
