# shellcheck shell=sh
# How a deploy talks, works and stops: one step after the other, one deploy at a time, and what Ctrl-C does.

say() { printf '%s\n' "$*"; }

good() { say "  ok    $*"; }

note() { say "  note  $*"; }

now() { date +%s; }

# ── Steps ────────────────────────────────────────────────────────────────────────────────────────────────

step_number=0
step_name=
step_remedy=
# What a person finds when this program stops here. Kept true by whoever changes something.
known_state='nothing was changed.'
# Called, when set, before this program stops without having finished.
on_failure=

# step NAME LASTS REMEDY: what begins now, how long it may take, what to do when it fails.
step() {
  [ "$interrupts" -eq 0 ] || fail 130 'interrupted.'
  step_number=$((step_number + 1))
  step_name=$1
  step_remedy=$3
  say "[$step_number] $1 (may take $2)"
}

# fail CODE MESSAGE: says where it stopped, in which state that leaves everything, and what to do.
fail() {
  code=$1
  shift
  [ "$interrupts" -eq 0 ] || [ "$code" -eq 3 ] || code=130
  if [ -n "$on_failure" ]; then
    hook=$on_failure
    on_failure=
    "$hook" "$code"
  fi
  {
    if [ "$code" -eq 130 ]; then
      say "INTERRUPTED${step_name:+ at step $step_number ($step_name)}: $*"
      [ -z "$step_name" ] || step_remedy='run the same command again: what is done already is not done twice.'
    else
      say "FAILED${step_name:+ at step $step_number ($step_name)}: $*"
    fi
    say "  State: $known_state"
    [ -z "$step_remedy" ] || say "  Do: $step_remedy"
  } >&2
  exit "$code"
}

# ── Work that takes time ─────────────────────────────────────────────────────────────────────────────────
# It runs in the background with its output in a file, so that a terminal that goes away, or Ctrl-C, reaches this
# program and not the engine in the middle of replacing a container.

interrupts=0
work_pid=
work_kind=

on_interrupt() {
  interrupts=$((interrupts + 1))
  [ -n "$work_pid" ] || return 0
  case $work_kind:$interrupts in
    can-stop:*) kill -TERM "-$work_pid" 2>/dev/null || kill -TERM "$work_pid" 2>/dev/null ;;
    must-end:1) say '  Interrupted. This step is not safe to cut off: it is finished first. Once more to leave it to itself.' ;;
  esac
}

# ticker: on a terminal, one line that tells seconds and the last thing said, for as long as the work goes on.
ticker() {
  while sleep 1 && kill -0 "$$" 2>/dev/null; do
    last=$(tail -n 1 "$output" 2>/dev/null | tr -d '\r' | cut -c 1-80)
    printf '\r\033[K  %s s  %s' "$(($(now) - begun))" "$last"
  done
}

# work can-stop|must-end COMMAND…: runs it; its output is in $output, its exit code is returned.
# What must end is not cut off by an interruption; a second one leaves it to itself and returns 130.
work() {
  [ "$interrupts" -eq 0 ] || fail 130 'interrupted.'
  work_kind=$1
  shift
  begun=$(now)
  : >"$output"
  # A process group of its own, where there is a terminal that could send Ctrl-C to the whole group.
  if [ -t 0 ] || [ -t 1 ]; then set -m; fi
  ("$@") >"$output" 2>&1 </dev/null &
  work_pid=$!
  set +m
  printf '%s %s\n' "$work_pid" "$step_name" >"$state/at-work"
  ticking=
  if [ -t 1 ]; then
    ticker &
    ticking=$!
  fi
  while :; do
    wait "$work_pid"
    work_code=$?
    kill -0 "$work_pid" 2>/dev/null || break
    if [ "$work_kind" = must-end ] && [ "$interrupts" -gt 1 ]; then
      work_code=130
      break
    fi
  done
  if [ -n "$ticking" ]; then
    kill "$ticking" 2>/dev/null
    wait "$ticking" 2>/dev/null
    printf '\r\033[K'
  fi
  if [ "$work_code" -ne 130 ] || [ "$work_kind" = can-stop ]; then rm -f "$state/at-work"; fi
  work_pid=
  return "$work_code"
}

took() { say "  done in $(($(now) - begun)) s"; }

# told: what the last work said, for a person who has to mend it.
told() { tail -n "${1:-20}" "$output" | sed 's/^/  | /'; }

# ── One at a time ────────────────────────────────────────────────────────────────────────────────────────

# alive PID: whether that process is there and is one of ours. Numbers are given out again after a reboot.
alive() {
  [ -n "$1" ] && kill -0 "$1" 2>/dev/null || return 1
  case $(ps -o args= -p "$1" 2>/dev/null) in '' | *deploy*) return 0 ;; *) return 1 ;; esac
}

refuse_locked() {
  fail 1 "another deploy is at work (process $1). Wait for it; '$0 status' shows it. If there is none, remove $lock."
}

# lock: waits for nobody. A lock whose owner is gone is taken over, by one only.
take_lock() {
  if ! mkdir "$lock" 2>/dev/null; then
    owner=$(cat "$lock/pid" 2>/dev/null)
    if [ -z "$owner" ]; then
      # Its owner is writing the number this very moment, or was killed before it could.
      sleep 1
      owner=$(cat "$lock/pid" 2>/dev/null)
    fi
    if alive "$owner"; then refuse_locked "$owner"; fi
    mkdir "$lock/after-${owner:-nobody}" 2>/dev/null || refuse_locked "${owner:-unknown}"
    current=$(cat "$lock/pid" 2>/dev/null)
    if [ "$current" != "$owner" ]; then
      rmdir "$lock/after-${owner:-nobody}"
      refuse_locked "$current"
    fi
    note "an earlier deploy (process ${owner:-unknown}) was killed; this one takes its place."
  fi
  printf '%s\n' "$$" >"$lock/pid.new" && mv "$lock/pid.new" "$lock/pid"
  rm -rf "$lock"/after-*
  locked=yes
  trap on_interrupt INT TERM
  # A lost connection is no reason to stop half-way.
  trap '' HUP
  await_earlier_work
}

# What a killed deploy was doing goes on without it. Two at once would be one too many.
await_earlier_work() {
  [ -e "$state/at-work" ] || return 0
  read -r earlier what <"$state/at-work"
  if alive "$earlier"; then
    say "An earlier deploy is gone, but its work goes on: $what. Waiting for it (at most 15 min)."
    until_then=$(($(now) + 900))
    while alive "$earlier"; do
      [ "$interrupts" -eq 0 ] || fail 130 'interrupted while waiting.'
      [ "$(now)" -lt "$until_then" ] || fail 1 "process $earlier has been at it for more than 15 min. Look at it, end it, and run this again."
      sleep 1
    done
  fi
  rm -f "$state/at-work"
}
