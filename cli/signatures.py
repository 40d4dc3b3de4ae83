"""Signatures of heads, by SSH keys: made and checked by OpenSSH's own `ssh-keygen -Y`."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import click

from eventlog.cli.written_files import refuse_taken, write_synced, write_whole, written_whole
from eventlog.errors import DataCorrupt, InputInvalid, NotAvailable

__all__ = [
    "FILE",
    "NAMESPACE",
    "Signature",
    "check_signature",
    "refuse_taken_signed",
    "sign",
    "sign_option",
    "signature_path",
    "write_signed",
]

# What an SSH signature is made for: one for anything else is not one of heads.
NAMESPACE = "eventlog-head"
# OpenSSH's own word for any file.
FILE = "file"
MOST_BYTES = 1 << 20
TOO_OLD = re.compile(r"(unknown|illegal|invalid) option|too many arguments|[Uu]sage:")


sign_option = click.option(
    "--sign",
    "key",
    type=click.Path(path_type=Path),
    metavar="KEY",
    help="Sign FILE with an SSH key, into FILE.sig; the public key's file, where an agent holds the key.",
)


@dataclass(frozen=True)
class Signature:
    """Who signed, by the name in the file of allowed signers, and with which key."""

    signer: str
    key: str


def signature_path(path: Path) -> Path:
    """Where the signature of a file lies: beside it."""
    return path.with_name(f"{path.name}.sig")


def refuse_taken_signed(path: Path, *, force: bool) -> None:
    """Make sure that a file can be written, and that neither it nor a signature of it is replaced unasked.

    Args:
        force: both may be replaced.

    Raises:
        InputInvalid: one of them is there; or no folder to write them to.
    """
    refuse_taken(path, force=force)
    refuse_taken(signature_path(path), force=force)


def write_signed(path: Path, content: bytes, key: Path | None, namespace: str, *, force: bool) -> None:
    """Write a file whole, and beside it its signature, if there is a key; neither, if that cannot sign.

    Args:
        force: replace a file that is there, and its signature.

    Raises:
        InputInvalid, NotAvailable: as of `sign` and `refuse_taken_signed`; or it cannot be written.
        OSError: the signature that was there cannot be removed.
    """
    refuse_taken_signed(path, force=force)
    signed = signature_path(path)
    signature = sign(content, key, namespace) if key is not None else None
    with written_whole(path, force=force) as temporary:
        write_synced(temporary, content)
        # A signature of something else would look like proof of a forgery.
        if os.path.lexists(signed):
            signed.unlink()
    if signature is not None:
        write_whole(signed, signature, force=force)


def sign(data: bytes, key: Path, namespace: str) -> bytes:
    """The signature of some bytes.

    Args:
        key: the private key's file; or that of the public key, where an agent holds the private one. For a
            passphrase, ssh-keygen asks itself.
        namespace: what the signature is for.

    Raises:
        InputInvalid: the key cannot be used.
        NotAvailable: there is no ssh-keygen that can sign.
    """
    path = key.expanduser()
    if not path.is_file():
        raise InputInvalid(f"{path} is no file: give that of an SSH key, as ssh-keygen makes it")
    done = _ssh_keygen(["-Y", "sign", "-f", str(path), "-n", namespace], data)
    if done.returncode or not done.stdout.startswith(b"-----BEGIN SSH SIGNATURE-----"):
        raise InputInvalid(f"{path} cannot sign: {_reason(done)}")
    return done.stdout


def check_signature(data: bytes, path: Path, signers: Path, signer: str | None) -> Signature:
    """Make sure that one of those who may has signed a file.

    Args:
        data: what is in the file.
        path: the file, beside which its signature lies.
        signers: who may sign, a line each, as `man ssh-keygen` describes under ALLOWED SIGNERS.
        signer: who has to have signed; by default any of them.

    Raises:
        InputInvalid: there is no signature, or no file of signers.
        DataCorrupt: none of them has signed these bytes.
        NotAvailable: there is no ssh-keygen that can check it.
    """
    signature = signature_path(path)
    for needed, what in (
        (signature, "sign with `eventlog head -o FILE --sign KEY`"),
        (signers, "name another"),
    ):
        if not needed.is_file():
            raise InputInvalid(f"{needed} is {'no file' if needed.exists() else 'not there'}: {what}")
    if signature.stat().st_size > MOST_BYTES:
        raise DataCorrupt(f"{signature} is no signature: it is larger than {MOST_BYTES} bytes")
    wanted = [signer] if signer else _signers_of(signature, signers)
    reason = "it was not made by any of them"
    for one in wanted:
        options = ["-f", str(signers), "-I", one, "-n", NAMESPACE, "-s", str(signature)]
        done = _ssh_keygen(["-Y", "verify", *options], data)
        if done.returncode == 0:
            key = re.search(rb" with (\S+ key SHA256:\S+)", done.stdout)
            return Signature(one, key.group(1).decode() if key else "a key of theirs")
        reason = _reason(done)
    by = signer or f"those in {signers}"
    raise DataCorrupt(f"{path} is not signed by {by}, or was changed since: {reason}")


def _signers_of(signature: Path, signers: Path) -> list[str]:
    """Those that have a key which made a signature, of whatever."""
    done = _ssh_keygen(["-Y", "find-principals", "-s", str(signature), "-f", str(signers)], b"")
    found = [one for line in done.stdout.decode(errors="replace").splitlines() for one in line.split(",")]
    # A pattern is no name that could be asked for.
    return [one for one in found if one and not set(one) & set("*?!")]


def _ssh_keygen(arguments: list[str], data: bytes) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("ssh-keygen")
    if program is None:
        raise NotAvailable("signatures need ssh-keygen, which is not installed: install OpenSSH 8.2 or later")
    done = subprocess.run([program, *arguments], input=data, capture_output=True, check=False)
    if done.returncode and TOO_OLD.search(done.stderr.decode(errors="replace")):
        raise NotAvailable(f"{program} is too old for signatures: install OpenSSH 8.2 or later")
    return done


def _reason(done: subprocess.CompletedProcess[bytes]) -> str:
    """What ssh-keygen says of a failure, in one line."""
    said = (done.stderr + done.stdout).decode(errors="replace").strip().splitlines()
    return (
        "; ".join(line.strip() for line in said if not line.startswith("Signing data")) or "it says nothing"
    )
