# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Packages of Debian's suites, from lists of our own: the machine's lists, sources
# and packages stay as they are. Needs say.sh.
#
# SUITE_LISTS is the directory of the lists of one suite, SUITE_ARCH the architecture of
# its packages (amd64 unless it is set). KG_DEBIAN_MIRROR names an archive of Debian, if
# this machine's own sources have none.

KEYS=/usr/share/keyrings/debian-archive-keyring.gpg

# read_lists SUITE: apt's lists of one suite, in a directory of our own.
read_lists() {
  mkdir -p "$SUITE_LISTS/partial"
  printf 'deb [signed-by=%s] %s %s main\n' "$KEYS" "$(mirror)" "$1" >"$SUITE_LISTS.list"
  apt_of apt-get update --error-on=any >"$SUITE_LISTS.log" 2>&1 || {
    tail -n 3 "$SUITE_LISTS.log" >&2
    die "cannot read Debian's archive at $(mirror); is there a network? (KG_DEBIAN_MIRROR sets another archive)"
  }
}

# apt_of COMMAND...: apt for the suite that is being fetched, as if no package were installed.
apt_of() {
  "$@" -o "Dir::Etc::SourceList=$SUITE_LISTS.list" -o Dir::Etc::SourceParts=/dev/null \
    -o "Dir::State::Lists=$SUITE_LISTS" -o Dir::State::Status=/dev/null \
    -o Dir::Cache::PkgCache= -o Dir::Cache::SrcPkgCache= \
    -o "APT::Architecture=${SUITE_ARCH:-amd64}" -o "APT::Architectures=${SUITE_ARCH:-amd64}" -o APT::Sandbox::User= -o Acquire::Languages=none
}

# mirror prints the archive that this machine takes Debian's packages from.
mirror() {
  local found=${KG_DEBIAN_MIRROR:-}
  [[ -n $found ]] || found=$(cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
    grep -oE '(http|https|file)://[^ ]+/debian/?( |$)' | head -n 1 || true)
  found=${found%% *}
  [[ -n $found ]] || die "this machine's sources of packages have no archive of Debian: set KG_DEBIAN_MIRROR to one"
  printf '%s\n' "$found"
}
