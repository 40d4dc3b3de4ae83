"""Hostile bytes for everything that reads bytes from elsewhere; see `torture.fuzzing`."""

import tempfile

from torture.fault import Fault, Outcome, Round
from torture.fuzzing.guided import guided_slice, missing
from torture.fuzzing.slices import inputs, read_slice
from torture.fuzzing.targets import TARGETS

__all__ = ["FAULT"]

SLICE_SECONDS = 1.0
# In one round of so many, where atheris is installed, it is guided by coverage; it takes a while to begin.
GUIDED = 6
GUIDED_SECONDS = 5.0
# In one round of so many, one of the target's bombs is read instead.
BOMBS = 12


def play(this: Round) -> Outcome:
    """Read hostile inputs with one reader for a second or some, in a process that may die of it."""
    # What the targets make to begin with is removed when a process exits; that of a round just ends.
    temporary = this.folder / "temporary"
    temporary.mkdir()
    tempfile.tempdir = str(temporary)
    target = this.random.choice([target for target in TARGETS if not target.missing])
    seed = f"{this.random.randrange(1 << 32):08x}"
    if this.random.randrange(BOMBS) == 0 and target.bombs:
        make = this.random.choice(target.bombs)
        done = read_slice(target, lambda: [("a bomb", make())], this.folder)
    elif this.random.randrange(GUIDED) == 0 and not missing():
        done = guided_slice(target, seed, GUIDED_SECONDS, this.folder / "guided")
    else:
        done = read_slice(target, lambda: inputs(target, seed, SLICE_SECONDS), this.folder)
    outcome = Outcome(faults=done.inputs, promises=done.inputs)
    for line in done.broken:
        outcome.check(False, line)
    return outcome


FAULT = Fault("hostile bytes for every reader", "inputs", play, counts_events=False)
