#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the kernels and tools of the kernel matrix ready and prints, for each suite of
# Debian that is named: SUITE VERSION FILE. SUITE-arm64 is the suite's kernel for arm64;
# the programs of that architecture that its machine needs are in tools/ beside it.
# SUITE-xen is the suite's kernel for all machines, which can be the first guest of Xen as
# those for virtual machines cannot; Xen itself is in xen beside it.
# Without suites it only sees to the tools. Kernels are unpacked beside each other in the
# cache; the machine's own packages of kernels, lists and sources stay as they are.
#
# Settings: KG_NODE_HOME (the cache), KG_DEBIAN_MIRROR and KG_DEBIAN_SECURITY_MIRROR
# (archives of Debian, if this machine's own sources have none). A kernel that is there is
# not looked for again: remove the suite's link in the cache to get the newest one.
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
  need qemu-system-x86_64=qemu-system-x86 busybox=busybox-static cpio=cpio strace=strace \
    apt-get=apt dpkg-deb=dpkg "$KEYS=debian-archive-keyring"
  [[ $* != *-arm64* ]] || need qemu-system-aarch64=qemu-system-arm
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
  local suite=$1 version part package images flavour
  # shellcheck disable=SC2034  # of archive.sh
  SUITE_ARCH=amd64
  # shellcheck disable=SC2034
  [[ $suite != *-arm64 ]] || SUITE_ARCH=arm64
  SUITE_LISTS=$KERNELS/.lists/$suite
  read_lists "${suite%%-*}"
  flavour=cloud-$SUITE_ARCH
  [[ $suite != *-xen ]] || flavour=$SUITE_ARCH
  version=$(apt_of apt-cache show "linux-image-$flavour" |
    sed -n "s/^Depends:.*linux-image-\([0-9][^ ,]*-$flavour\).*/\1/p" | sort -V | tail -n 1)
  [[ -n $version ]] || die "$suite has no package linux-image-$flavour"
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
  [[ $SUITE_ARCH == amd64 ]] || fetch_tools "$part"
  [[ $suite != *-xen ]] || fetch_xen "$part"
  rm -rf "${KERNELS:?}/$version"
  mv -T "$part" "$KERNELS/$version"
  ln -sfn "$version" "$KERNELS/$suite"
}

# fetch_xen DIRECTORY: the hypervisor, as QEMU starts it. Hundreds of megabytes of the
# kernel's modules are not kept.
fetch_xen() {
  local package
  rm -rf "$1/lib/modules" "$1/usr/lib/modules"
  package=$(apt_of apt-cache show "xen-system-$SUITE_ARCH" |
    sed -n "s/^Depends:.*\(xen-hypervisor-[0-9.]*-$SUITE_ARCH\).*/\1/p" | sort -V | tail -n 1)
  [[ -n $package ]] || die "${SUITE_LISTS##*/} has no package xen-system-$SUITE_ARCH"
  mkdir "$1/packages"
  (cd "$1/packages" && apt_of apt-get --quiet=2 download "$package" >"$1/log" 2>&1) || {
    tail -n 3 "$1/log" >&2
    die "cannot download $package from $(mirror)"
  }
  dpkg-deb --extract "$1"/packages/*.deb "$1/packages"
  gzip --decompress --stdout "$1"/packages/boot/xen-*.gz >"$1/xen"
  rm -rf "$1/packages" "$1/log"
}

# fetch_tools DIRECTORY: programs of another architecture, with what they are linked to.
fetch_tools() {
  local package
  mkdir -p "$1/packages/partial"
  apt_of apt-get --yes --quiet=2 --download-only --no-install-recommends -o Dir::Cache::Archives="$1/packages" \
    install busybox-static strace >"$1/log" 2>&1 || {
    tail -n 3 "$1/log" >&2
    die "cannot download busybox-static and strace for $SUITE_ARCH from $(mirror)"
  }
  for package in "$1"/packages/*.deb; do dpkg-deb --extract "$package" "$1/tools"; done
  rm -rf "$1/packages" "$1/log"
}

main "$@"
