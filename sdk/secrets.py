"""Secrets, taken out of what is recorded: an event is for ever, and is copied to every remote.

Three things are looked for: words whose form says that they are a key (a token of GitHub's, a private
key); values that something named like a secret is given (``--password hunter2``, ``API_KEY="…"``); and
the values of this process's environment variables whose names say that they are secret. What is found
becomes `MASK`, of one length whatever it stood for. This is a net, not a proof: a password that looks
like any other word and has no telling name passes through it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["MASK", "mask_arguments", "mask_command", "mask_text", "mask_url", "secret_values"]

MASK = "********"

# Names that say that a value is secret, as a part of a longer name: DB_PASSWORD, --auth-token.
_WORDS = (
    r"password|passwd|passphrase|secret|credential|(?:api|access|private)[_-]?key|"
    r"(?:auth|access|refresh|bearer)[_-]?token"
)
_SECRET_NAME = re.compile(rf"(?i){_WORDS}|(?:^|[_-])(?:token|pwd|auth)(?:$|[_-])")

_URL_WITH_USER = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]{0,30}://)([^\s/?#@'\"<>\\]{1,1000})@")
_URL_PARAMETER = re.compile(
    r"(?i)([?&](?:[\w.-]{0,40}(?:token|secret|password|signature|credential|api[_-]?key|access[_-]?key)"
    r"|sig|key|pwd)=)[^&#\s'\"<>]+"
)

# Forms of keys that their issuers publish so that they can be found.
_KEYS = re.compile(
    r"\b(?:"
    r"(?:AKIA|ASIA|AIDA|AROA)[0-9A-Z]{16}"  # Amazon
    r"|gh[pousr]_[0-9A-Za-z]{30,255}|github_pat_[0-9A-Za-z_]{22,255}"  # GitHub
    r"|gl(?:pat|dt|rt|cbt|ptt|ft|soat)-[0-9A-Za-z_-]{20,64}"  # GitLab
    r"|xox[abeoprs]-[0-9A-Za-z-]{10,255}"  # Slack
    r"|AIza[0-9A-Za-z_-]{35}|ya29\.[0-9A-Za-z_-]{20,1000}"  # Google
    r"|sk-(?:ant-|proj-|svcacct-)?[0-9A-Za-z_-]{20,255}"  # Anthropic, OpenAI
    r"|hf_[0-9A-Za-z]{30,64}"  # Hugging Face
    r"|pypi-[0-9A-Za-z_-]{50,500}|npm_[0-9A-Za-z]{36}"  # package indexes
    r"|(?:sk|rk)_(?:live|test)_[0-9A-Za-z]{16,128}"  # Stripe
    r"|SG\.[0-9A-Za-z_-]{16,64}\.[0-9A-Za-z_-]{16,64}"  # SendGrid
    r"|eyJ[0-9A-Za-z_-]{10,2000}\.eyJ[0-9A-Za-z_-]{10,4000}\.[0-9A-Za-z_-]{10,1000}"  # JSON web tokens
    r")"
)
_AUTHORIZATION = re.compile(
    r"(?i)(authorization['\"]?\s{0,9}[:=,]\s{0,9}['\"]?(?:basic|bearer|token)\s+)[^\s'\"]+"
)
_PRIVATE_KEY = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_LONGEST_PRIVATE_KEY = 20_000
# The lines after the beginning of a key whose end a diff does not show.
_KEY_LINES = re.compile(r"(?:\r?\n[+\- ]?[ \t]{0,40}[A-Za-z0-9+/=]{16,128})+")

# In a line of text, what a name that says so is given. In quotes (Python, JSON, TOML): any value. Without
# quotes only where code cannot stand: DB_PASSWORD=hunter2 as in .env files, password: hunter2 as in YAML,
# with a value that no type annotation looks like. A bare "token" is in most scripts part of a text's
# vocabulary (pad_token="<pad>"), so its value has to look like a key.
_GIVEN = r"[\w-]{0,40}['\"]?\]?\s{0,20}(?::[\w\[\], |.]{0,60})?[:=,]\s{0,20}[rbuf]{0,2}"
_QUOTED = (
    re.compile(rf"(?i)((?:{_WORDS}){_GIVEN})(\"[^\"\n]{{4,}}\"|'[^'\n]{{4,}}')"),
    re.compile(
        rf"(?i)((?<![^\W_])(?:token|pwd)(?![^\W_]){_GIVEN})(\"[\w+/=.:~-]{{8,}}\"|'[\w+/=.:~-]{{8,}}')"
    ),
)
_UNQUOTED = (
    re.compile(
        r"(?m)^([+\- ]?\s{0,40}(?:export\s+|set\s+|-\s+)?[A-Z0-9_]{0,60}"
        r"(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?)"
        r"[A-Z0-9_]{0,40}=)([^\s'\"=(][^\s'\"(\[]{3,})$"
    ),
    re.compile(
        rf"(?im)^([+\- ]?\s{{0,80}}(?:-\s+)?[\w.-]{{0,60}}?(?:{_WORDS}|token|pwd)[\w-]{{0,40}}:[ \t]{{1,20}})"
        r"((?=\S*[0-9])[^\s'\"\[\](){},]{6,})[ \t]*$"
    ),
)
_HINT = re.compile(r"(?i)passw|passphrase|secret|credential|[_-]?key|token|pwd|authorization")

# Matching holds the interpreter's lock; pieces of this size let the script's own threads go on.
_PIECE = 1 << 14
_SHORTEST_VALUE = 8


def mask_url(url: str) -> str:
    """A URL without its password, its token or its signature.

    The user's name stays where it says nothing (``ssh://git@host``); beside a password, or as the only
    thing before the host of a web address (where it is usually a token), it goes too.
    """
    return _URL_PARAMETER.sub(rf"\1{MASK}", _URL_WITH_USER.sub(_mask_user, url))


def mask_text(text: str, values: Iterable[str] = ()) -> str:
    """Text, such as a diff, with what looks like a secret in it masked.

    Args:
        text: any text; the time that it takes grows with its length alone.
        values: secrets that are known, as from `secret_values`, masked wherever they stand.
    """
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, MASK)
    if "PRIVATE KEY" in text:
        text = _mask_private_keys(text)
    return "".join(map(_mask_piece, _pieces(text)))


def mask_arguments(arguments: Sequence[str], values: Iterable[str] = ()) -> list[str]:
    """A command line with its secrets masked: ``--token x``, ``--token=x``, ``API_KEY=x``, URLs, keys.

    Args:
        arguments: the command line, an argument each.
        values: as of `mask_text`.
    """
    values = list(values)
    masked: list[str] = []
    is_value = False
    for argument in arguments:
        name, equals, value = argument.partition("=")
        is_secret = _SECRET_NAME.search(name) is not None and "/" not in name
        if is_value and not argument.startswith("--"):
            masked.append(MASK)
            is_value = False
            continue
        is_value = is_secret and not equals and name.startswith("-")
        if is_secret and value:
            masked.append(f"{name}={MASK}")
        else:
            masked.append(mask_text(argument, values))
    return masked


def mask_command(line: str) -> str:
    """The arguments of a program in one line, such as those of a container, with their secrets masked."""
    pieces = re.split(r"(\s+)", line)
    pieces[::2] = mask_arguments(pieces[::2])
    return mask_text("".join(pieces))


def secret_values(environment: Mapping[str, str]) -> list[str]:
    """The values of variables whose names say that they are secret, such as AWS_SECRET_ACCESS_KEY.

    Values shorter than 8 characters are left out: masking every "test" would only spoil a diff. So are
    paths, such as that of a file with credentials.
    """
    return sorted(
        {
            value
            for name, value in environment.items()
            if len(value) >= _SHORTEST_VALUE
            and _SECRET_NAME.search(name)
            and not value.startswith(("/", "~", "./"))
        }
    )


def _pieces(text: str) -> Iterator[str]:
    """Text in pieces that end where lines end."""
    start = 0
    while start < len(text):
        end = text.find("\n", start + _PIECE) + 1 or len(text)
        yield text[start:end]
        start = end


def _mask_piece(text: str) -> str:
    text = _KEYS.sub(MASK, text)
    if "://" in text or "=" in text:
        text = mask_url(text)
    if not _HINT.search(text):
        return text
    text = _AUTHORIZATION.sub(rf"\1{MASK}", text)
    for pattern in _QUOTED:
        text = pattern.sub(_mask_quoted, text)
    for pattern in _UNQUOTED:
        text = pattern.sub(rf"\1{MASK}", text)
    return text


def _mask_private_keys(text: str) -> str:
    kept: list[str] = []
    start = 0
    marks = list(_PRIVATE_KEY.finditer(text))
    for place, mark in enumerate(marks):
        if mark[1] == "END":
            continue
        following = marks[place + 1] if place + 1 < len(marks) else None
        if following and following[1] == "END" and following.start() - mark.end() <= _LONGEST_PRIVATE_KEY:
            end = following.start()
        elif lines := _KEY_LINES.match(text, mark.end()):
            end = lines.end()
        else:
            continue
        kept += (text[start : mark.end()], MASK)
        start = end
    kept.append(text[start:])
    return "".join(kept)


def _mask_user(match: re.Match[str]) -> str:
    scheme, user = match.groups()
    if ":" not in user and (user == "git" or not scheme.lower().startswith(("http", "git+http"))):
        return match.group()
    return f"{scheme}{MASK}@"


def _mask_quoted(match: re.Match[str]) -> str:
    before, quoted = match.groups()
    return f"{before}{quoted[0]}{MASK}{quoted[0]}"
