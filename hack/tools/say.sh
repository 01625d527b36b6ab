# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Progress and errors for people, one form for every script. Progress goes to
# standard error, so that standard output stays free for results.

say() { printf '%s\n' "$*" >&2; }

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# timed WHAT COMMAND...: prints WHAT at once and how long it took when it is done.
timed() {
  local what=$1 began=$SECONDS
  shift
  printf '%s ... ' "$what" >&2
  if "$@"; then
    printf 'done in %d s\n' "$((SECONDS - began))" >&2
  else
    printf 'FAILED after %d s\n' "$((SECONDS - began))" >&2
    return 1
  fi
}

# wait_for SECONDS WHAT COMMAND...: polls until COMMAND succeeds; fails when the time is over.
wait_for() {
  local limit=$1 what=$2 deadline=$((SECONDS + $1))
  shift 2
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS >= deadline)); then
      say "gave up after $limit s waiting for: $what"
      return 1
    fi
    sleep 0.2
  done
}
