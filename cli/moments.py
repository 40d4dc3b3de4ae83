"""Moments, durations and sizes, as a person types and reads them.

Inside, a moment is what an event's time is: milliseconds since 1970-01-01 UTC.
"""

import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from functools import lru_cache

from eventlog.errors import InputInvalid

__all__ = ["duration", "how_long_ago", "iso", "local", "local_times", "moment", "size"]

FORMATS = (
    "'2026-11-20 14:00', '2026-11-20T14:00:05Z', '14:00' (today), 'yesterday 14:00', '10 minutes ago', '5m'"
)

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
UNIT_NAMES = {
    "ms": 0.001,
    "s": 1,
    "sec": 1,
    "secs": 1,
    "second": 1,
    "seconds": 1,
    "m": 60,
    "min": 60,
    "mins": 60,
    "minute": 60,
    "minutes": 60,
    "h": 3600,
    "hour": 3600,
    "hours": 3600,
    "d": 86_400,
    "day": 86_400,
    "days": 86_400,
    "w": 604_800,
    "week": 604_800,
    "weeks": 604_800,
}
STEPS = ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
QUARTER = 900
DAY_MS = 86_400_000
QUARTERS = frozenset((f"{minute:02}:00", f"{minute + 14}:59") for minute in (0, 15, 30, 45))
SECONDS = [f"{second:02}" for second in range(60)]
DAYS_BACK = {"today": 0, "yesterday": 1}

_amount = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*([a-z]+)")
_amounts = re.compile(rf"(?:{_amount.pattern}[\s,]*)+?(?:ago)?")


def moment(text: str, now: float | None = None) -> int:
    """The moment that a person means, in milliseconds since 1970-01-01 UTC.

    Args:
        text: an ISO 8601 date and time, local or with a zone; a time of today; "now"; "today" or
            "yesterday", alone (midnight) or with a time; or a while ago, such as "1h 30m" or
            "10 minutes ago".
        now: seconds since 1970-01-01 UTC, by default the clock's.

    Raises:
        InputInvalid: it is none of these.
    """
    seconds = time.time() if now is None else now
    words = " ".join(text.split())
    try:
        found = _moment(words.lower(), seconds)
        if found is None:
            found = datetime.fromisoformat(words)
        return round(found.timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise InputInvalid(f"'{text}' is not a time; write {FORMATS}") from None


def _moment(words: str, now: float) -> datetime | None:
    current = datetime.fromtimestamp(now).astimezone()
    if words == "now":
        return current
    if _amounts.fullmatch(words):
        past = sum(float(number) * UNIT_NAMES[_known(unit)] for number, unit in _amount.findall(words))
        return current - timedelta(seconds=past)
    day, _, clock = words.rpartition(" ") if " " in words else ("today", "", words)
    if clock in DAYS_BACK:
        day, clock = clock, "00:00"
    if day not in DAYS_BACK or not re.fullmatch(r"\d{1,2}:\d\d(:\d\d([.,]\d+)?)?", clock):
        return None
    date = current.date() - timedelta(days=DAYS_BACK[day])
    return datetime.combine(date, time_of_day.fromisoformat(clock if clock[2:3] == ":" else f"0{clock}"))


def _known(unit: str) -> str:
    if unit not in UNIT_NAMES:
        raise ValueError(unit)
    return unit


def iso(milliseconds: int | None) -> str | None:
    """ISO 8601 in UTC with milliseconds, as in `--json`: "2026-11-20T13:00:05.250Z"; None for None or 0."""
    if not milliseconds:
        return None
    day, rest = divmod(milliseconds, DAY_MS)
    try:
        date = _date(day)
    except (ValueError, OverflowError, OSError):
        return None
    seconds, rest = divmod(rest, 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{date}T{minutes // 60:02}:{minutes % 60:02}:{seconds:02}.{rest:03}Z"


@lru_cache(1024)
def _date(day: int) -> str:
    return datetime.fromtimestamp(day * UNITS["d"], UTC).date().isoformat()


def local(milliseconds: int | None, precise: bool = False) -> str:
    """In this machine's zone, "2026-11-20 14:00:05", with milliseconds if `precise`; "" for None or 0."""
    if not milliseconds:
        return ""
    try:
        found = datetime.fromtimestamp(milliseconds / 1000)
    except (ValueError, OverflowError, OSError):
        return f"{milliseconds} ms"
    return found.isoformat(sep=" ", timespec="milliseconds" if precise else "seconds")


def local_times(moments: Iterable[int]) -> list[str]:
    """What `local` says of each of many moments.

    Hours and days are worked out once for each quarter of an hour that some of the moments are in.
    """
    quarters: dict[int, tuple[str, int]] = {}
    minutes: dict[int, str] = {}
    texts = []
    for moment in moments:
        minute, second = divmod(moment // 1000, 60)
        begins = minutes.get(minute)
        if begins is None:
            quarter, rest = divmod(minute, QUARTER // 60)
            if quarter not in quarters:
                quarters[quarter] = _quarter(quarter * QUARTER)
            hour, first = quarters[quarter]
            begins = minutes[minute] = f"{hour}{first + rest:02}:" if hour else ""
        texts.append(begins + SECONDS[second] if begins and moment else local(moment))
    return texts


def _quarter(first: int) -> tuple[str, int]:
    """How local times in a quarter of an hour begin ("2026-11-20 14:"), and the minute that it begins at.

    Nothing where clocks are changed in it, or where a zone has an odd offset.

    Args:
        first: its first second, since 1970-01-01 UTC.
    """
    begins, ends = local(first * 1000), local((first + QUARTER - 1) * 1000)
    if begins[:14] != ends[:14] or (begins[14:], ends[14:]) not in QUARTERS:
        return "", 0
    return begins[:14], int(begins[14:16])


def how_long_ago(milliseconds: int, now: float | None = None) -> str:
    """As "5s ago", "3m ago", "2h ago", "6d ago", "in 2m"; the date beyond four weeks; "" for 0."""
    if not milliseconds:
        return ""
    past = (time.time() if now is None else now) - milliseconds / 1000
    if abs(past) >= 4 * UNITS["w"]:
        return local(milliseconds)[:10]
    # Another machine's clock may be ahead of this one.
    ahead = past < -1
    past = abs(past)
    unit = next(unit for unit in "dhms" if past >= UNITS[unit] or unit == "s")
    said = f"{int(past // UNITS[unit])}{unit}"
    return f"in {said}" if ahead else f"{said} ago"


def duration(milliseconds: int) -> str:
    """As "0.25 s", "12.4 s", "3 min 20 s", "5 h 12 min", "3 d 4 h"."""
    seconds = milliseconds / 1000
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 59.5:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    large, name, small, small_name = next(step for step in STEPS if whole >= step[0])
    rest = whole % large // small
    return f"{whole // large} {name} {rest} {small_name}" if rest else f"{whole // large} {name}"


def size(count: int) -> str:
    """Bytes in decimal units, as discs are sold and as `ls -h --si` counts: "812 B", "1.2 MB"."""
    number = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 999.5 or unit == "TB":
            break
        number /= 1000
    return f"{number:.0f} {unit}" if unit == "B" or number >= 99.95 else f"{number:.1f} {unit}"
