# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Progress and errors for people, one form for every script. Progress goes to
# standard error, so that standard output stays free for results.

say() { printf '%s\n' "$*" >&2; }

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# timed WHAT COMMAND...: prints WHAT at once and how long it took when it is done;
# ends the script when COMMAND fails. COMMAND runs in a subshell under set -e, which
# bash ignores below ||, && and if: call timed, and what calls it, as plain commands.
timed() {
  local what=$1 began=$SECONDS status
  shift
  printf '%s ... ' "$what" >&2
  set +e
  (
    set -e
    "$@"
  )
  status=$?
  set -e
  if ((status != 0)); then
    printf 'FAILED after %d s: %s\n' "$((SECONDS - began))" "$what" >&2
    exit "$status"
  fi
  printf 'done in %d s\n' "$((SECONDS - began))" >&2
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
