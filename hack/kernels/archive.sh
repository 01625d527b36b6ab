# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Packages of Debian's suites, from lists of our own: the machine's lists, sources
# and packages stay as they are. Needs say.sh.
#
# SUITE_LISTS is the directory of the lists of one suite, SUITE_ARCH the architecture of
# its packages (amd64 unless it is set). KG_DEBIAN_MIRROR and KG_DEBIAN_SECURITY_MIRROR
# name archives of Debian, if this machine's own sources have none.

KEYS=/usr/share/keyrings/debian-archive-keyring.gpg

# read_lists SUITE: apt's lists of one suite, in a directory of our own, with those of
# its security updates where there are any: the kernels that nodes run come from there.
read_lists() {
  local archive signed="[signed-by=$KEYS]"
  archive=$(mirror)
  mkdir -p "$SUITE_LISTS/partial"
  printf 'deb %s %s %s main\n' "$signed" "$archive" "$1" >"$SUITE_LISTS.list"
  if [[ $1 != sid ]]; then
    printf 'deb %s %s %s-security main\n' "$signed" "${KG_DEBIAN_SECURITY_MIRROR:-${archive%/debian*}/debian-security}" "$1" >>"$SUITE_LISTS.list"
  fi
  apt_of apt-get update --error-on=any >"$SUITE_LISTS.log" 2>&1 || {
    tail -n 3 "$SUITE_LISTS.log" >&2
    die "cannot read Debian's archive at $archive; is there a network? (KG_DEBIAN_MIRROR and KG_DEBIAN_SECURITY_MIRROR set other archives)"
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
