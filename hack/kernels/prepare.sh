#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the kernels and tools of the kernel matrix ready and prints, for each suite of
# Debian that is named: SUITE VERSION FILE. Kernels are unpacked beside each other in
# the cache; the machine's own packages of kernels, lists and sources stay as they are.
#
# Settings: KG_NODE_HOME (the cache), KG_DEBIAN_MIRROR (an archive of Debian, if this
# machine's own sources have none). A kernel that is there is not looked for again:
# remove the suite's link in the cache to get the newest one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=../tools/say.sh
. hack/tools/say.sh
# shellcheck source=../tools/debian.sh
. hack/tools/debian.sh
# shellcheck source=archive.sh
. hack/kernels/archive.sh

KERNELS=${KG_NODE_HOME:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/kernel-gossip}/kernels

main() {
  local suite
  (($#)) || die "which suites? for example: $0 bookworm trixie"
  need qemu-system-x86_64=qemu-system-x86 busybox=busybox-static cpio=cpio strace=strace \
    apt-get=apt dpkg-deb=dpkg "$KEYS=debian-archive-keyring"
  mkdir -p "$KERNELS"
  exec {LOCK}>"$KERNELS/.lock"
  flock "$LOCK" # of two runs the second finds what the first has fetched
  for suite in "$@"; do
    [[ -e $KERNELS/$suite/vmlinuz ]] || timed "fetching Debian's kernel of $suite" fetch "$suite"
    printf '%s %s %s\n' "$suite" "$(basename "$(readlink "$KERNELS/$suite")")" "$KERNELS/$suite/vmlinuz"
  done
}

# fetch SUITE: unpacks the suite's newest kernel for virtual machines into
# KERNELS/VERSION and points KERNELS/SUITE to it.
fetch() {
  local suite=$1 version part package images
  SUITE_LISTS=$KERNELS/.lists/$suite
  read_lists "$suite"
  version=$(apt_of apt-cache show linux-image-cloud-amd64 |
    sed -n 's/^Depends:.*linux-image-\([0-9][^ ,]*-cloud-amd64\).*/\1/p' | sort -V | tail -n 1)
  [[ -n $version ]] || die "$suite has no package linux-image-cloud-amd64"
  part=$KERNELS/.$version.part
  rm -rf "$part"
  mkdir -p "$part/packages"
  # Image and modules are in the first of them up to 6.x, and in the others since.
  for package in "linux-image-$version" "linux-binary-$version" "linux-modules-$version" "linux-base-$version"; do
    [[ -n $(apt_of apt-cache show "$package" 2>/dev/null) ]] || continue
    (cd "$part/packages" && apt_of apt-get --quiet=2 download "$package" >"$part/log" 2>&1) || {
      tail -n 3 "$part/log" >&2
      die "cannot download $package from $(mirror)"
    }
  done
  for package in "$part"/packages/*.deb; do dpkg-deb --extract "$package" "$part"; done
  rm -rf "$part/packages" "$part/log"
  images=$(cd "$part" && find . -type f -name 'vmlinuz*')
  [[ -n $images && $images != *$'\n'* ]] || die "the packages of $version have not one kernel image but: ${images:-none}"
  ln -s "$images" "$part/vmlinuz"
  rm -rf "${KERNELS:?}/$version"
  mv -T "$part" "$KERNELS/$version"
  ln -sfn "$version" "$KERNELS/$suite"
}

main "$@"
