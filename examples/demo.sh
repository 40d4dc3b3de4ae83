#!/usr/bin/env bash
# What `make demo` runs: a real training, offline, and a walk through what its log can do. Everything
# lies in a scratch folder; no network is used. Stops with an error if a promise does not hold.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scratch=$(mktemp -d "${TMPDIR:-/tmp}/eventlog-demo-XXXXXX")
export EVENTLOG_HOME="$scratch/laptop"
unset EVENTLOG_REMOTE
# Matrices as small as these are multiplied faster by one thread.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; else bold='' dim='' plain=''; fi

heading() { printf '\n%s── %s%s\n' "$bold" "$*" "$plain"; }
say() { printf '%s%s%s\n' "$dim" "$*" "$plain"; }
# Show a command as a person would type it, and run it.
run() {
	printf '\n%s$ %s%s\n' "$bold" "$(typed "$@")" "$plain"
	"$@"
}
typed() {
	local word words=()
	for word in "$@"; do
		word=${word//$scratch/\$scratch}
		[[ $word == *[[:space:]]* ]] && word="'$word'"
		words+=("$word")
	done
	echo "${words[*]}"
}
# How many steps a training has printed, each after its calls had returned.
steps_in() { grep -c '^step [0-9]*: loss .*, accuracy [0-9.]*$' "$1" || true; }
# A value out of a JSON document on stdin: `field 'document["id"]'`.
field() { python -c "import json, sys; document = json.load(sys.stdin); print($1)"; }
# The file that holds an artifact's bytes: blobs are named by their SHA-256.
blob_of() {
	local name
	name=$(eventlog artifacts digits/mlp/baseline --json |
		field "next(artifact['sha256'] for artifact in document if artifact['name'] == '$1')")
	echo "$2/blobs/${name:0:2}/$name"
}
flip_a_bit() {
	chmod u+w "$1"
	python -c "
import sys
with open(sys.argv[1], 'r+b') as file:
    file.seek(1000)
    byte = file.read(1)[0]
    file.seek(1000)
    file.write(bytes([byte ^ 1]))" "$1"
}
fail() {
	printf '\nthe demo failed: %s\n' "$*" >&2
	exit 1
}

heading "1. Train a real model, offline"
say "examples/train_digits.py teaches a small network to read digits. Each call it makes of eventlog"
say "(report_scalar, set_progress, upload_artifact …) becomes an event in the log at"
say "$EVENTLOG_HOME, and so does what it does besides: its"
say "command line, what it prints, the model that it saves. There is no server, and nothing to start."
run python examples/train_digits.py --steps 600

heading "2. What ran"
run eventlog ls
run eventlog show digits/mlp/baseline

heading "3. Its curves"
run eventlog scalars digits/mlp/baseline loss

heading "4. Back to the middle of the training"
say "Every state is a fold over the log, so any moment can be asked for. The training ran from"
document=$(eventlog show digits/mlp/baseline --json)
started=$(field 'document["started"]' <<<"$document")
ended=$(field 'document["ended"]' <<<"$document")
middle=$(python -c "
import sys
from datetime import datetime
started, ended = map(datetime.fromisoformat, sys.argv[1:])
print((started + (ended - started) / 2).isoformat(timespec='milliseconds').replace('+00:00', 'Z'))" "$started" "$ended")
say "$started to $ended; half-way, at $middle, it was:"
run eventlog replay digits/mlp/baseline --at "$middle"
say
say "What has happened since then:"
run eventlog diff digits/mlp/baseline --at "$middle" --at "$ended"
say
say "And the whole log, folded again beside the views that are shown, gives the same:"
run eventlog replay --check

heading "5. kill -9"
say "A second training prints a line for each step, after its calls have returned. In the middle of it,"
say "SIGKILL: no handler runs, nothing is flushed."
acknowledged="$scratch/acknowledged"
printf '\n%s$ python examples/train_digits.py --name killed --steps 3000 --print-every 1 > $scratch/acknowledged &%s\n' "$bold" "$plain"
python examples/train_digits.py --name killed --steps 3000 --print-every 1 >"$acknowledged" &
training=$!
trap 'kill -9 $training 2>/dev/null || true' EXIT
deadline=$((SECONDS + 60))
until [ "$(steps_in "$acknowledged")" -ge 300 ]; do
	kill -0 $training 2>/dev/null || fail "the training ended by itself"
	[ $SECONDS -lt $deadline ] || fail "the training made no 300 steps in a minute"
	sleep 0.1
done
run kill -9 $training
wait $training 2>/dev/null || true
trap - EXIT
run tail -n 1 "$acknowledged"
steps=$(steps_in "$acknowledged")
run eventlog ls
document=$(eventlog show digits/mlp/killed --json)
[ "$(field 'document["status"]' <<<"$document")" = failed ] || fail "the killed task does not show as failed"
say
say "The task has failed, and says why: $(field 'document["status_reason"]' <<<"$document")."
points=$(field 'min(series["points"] for series in document["metrics"])' <<<"$document")
[ "$points" -ge "$steps" ] || fail "$steps steps were acknowledged, and only $points are in the log"
say "$steps steps were acknowledged before the kill; $points of each of its four series are in the log."
say "Nothing that was acknowledged is lost."

heading "6. Prove it"
say "verify trusts nothing: it reads the bytes, and recomputes every hash, chain and count."
run eventlog verify
say
say "One bit of the model, turned over in a copy of the store, as a failing disk might:"
cp -r "$EVENTLOG_HOME" "$scratch/damaged"
flip_a_bit "$(blob_of model "$scratch/damaged")"
run eventlog --home "$scratch/damaged" verify && fail "verify found nothing wrong with a damaged blob"

heading "7. Another machine"
say "A remote is only another copy of the log: here a folder, as on a share or a USB stick."
run eventlog sync "$scratch/remote"
say
say "A second store, as on another machine, takes it in, having checked every hash on the way:"
laptop=$EVENTLOG_HOME
export EVENTLOG_HOME="$scratch/workstation"
printf '\n%s$ export EVENTLOG_HOME=$scratch/workstation%s' "$bold" "$plain"
run eventlog sync "$scratch/remote"
run eventlog ls
for command in "ls --json" "show digits/mlp/baseline --json" "show digits/mlp/killed --json"; do
	# shellcheck disable=SC2086
	cmp <(EVENTLOG_HOME=$laptop eventlog $command) <(eventlog $command) || fail "the two stores differ in: eventlog $command"
done
say
say "ls, and show of both tasks, are byte for byte the same as in the first store."
run eventlog artifacts digits/mlp/baseline model --output "$scratch/model.joblib"
run python -c 'from eventlog import Task
task = Task.get_task(project_name="digits/mlp", task_name="baseline")
print(task.artifacts["metrics"].get())'

heading "Where things are"
cat <<TEXT
the first store    $laptop
the remote         $scratch/remote
the second store   $EVENTLOG_HOME

To look around:    export EVENTLOG_HOME=$laptop PATH=$(dirname "$(command -v eventlog)"):\$PATH
                   eventlog status
                   eventlog log digits/mlp/baseline
To remove it all:  rm -r $scratch
TEXT
