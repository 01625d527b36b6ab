# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Tools that come from the distribution. Needs say.sh.

# need COMMAND=PACKAGE...: installs the packages of the commands that are missing.
# A COMMAND with a slash is looked for as a file.
need() {
  local pair missing=()
  for pair in "$@"; do
    _present "${pair%%=*}" || missing+=("${pair#*=}")
  done
  ((${#missing[@]})) || return 0
  if ! command -v apt-get >/dev/null || ((EUID != 0)); then
    die "missing on this machine: ${missing[*]} (names of Debian packages); install them and try again"
  fi
  timed "installing Debian packages: ${missing[*]}" _apt "${missing[@]}"
}

_present() {
  case $1 in
    */*) [[ -e $1 ]] ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

_apt() {
  local log turn
  log=$(mktemp)
  mkdir -p /run/lock
  exec {turn}>/run/lock/kernel-gossip-apt
  flock "$turn" # stages of make test may run side by side, and apt-get does not wait for its like
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; } >"$log" 2>&1 </dev/null; then
    tail -n 5 "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
  exec {turn}>&-
}
