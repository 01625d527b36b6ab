#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Writes image archives to build/images. Usage: hack/images/build.sh [NAME...]
# Names: kernel-observer operator (these two without a NAME: what an installation
# needs); pause load busybox nginx, for the one-node cluster and its tests; and redis
# apache python, which only docs/reference/births.md needs. Needs neither Docker nor
# root; from busybox on the images are made of Debian's packages and need apt-get, and
# root where one that they need is missing.
set -euo pipefail
TOP=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=../tools/say.sh
. "$TOP/hack/tools/say.sh"
# shellcheck source=../tools/debian.sh
. "$TOP/hack/tools/debian.sh"

BIN=$TOP/build/bin
PACKAGES=${XDG_CACHE_HOME:-$HOME/.cache}/kernel-gossip/packages

compile() { # MODULE_DIRECTORY PACKAGE NAME
  (cd "$1" && GOWORK=off CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags='-s -w' -o "$BIN/$3" "$2")
}

# unpack PACKAGE: a Debian package's files, without installing it (nginx would start serving).
unpack() { unpack_together "$1" "$1"; }

# unpack_together NAME PACKAGE...: the files of all of them, in one directory.
unpack_together() {
  local to=$PACKAGES/$1 work archive
  shift
  [[ ! -d $to ]] || return 0
  command -v apt-get >/dev/null || die "the image needs Debian's packages $*, and this machine has no apt-get"
  mkdir -p "$PACKAGES"
  work=$(mktemp -d "$PACKAGES/.XXXXXX")
  timed "fetching Debian's packages: $*" _download "$work" "$@"
  for archive in "$work"/*.deb; do
    dpkg -x "$archive" "$work/files"
  done
  mv "$work/files" "$to"
  rm -r "$work"
}

_download() { # DIRECTORY PACKAGE...
  local get=(apt-get -o APT::Sandbox::User=root download "${@:2}")
  (cd "$1" && { "${get[@]}" || { apt-get update && "${get[@]}"; }; }) >"$1/log" 2>&1 ||
    { tail -n 3 "$1/log" >&2; return 1; }
}

# Debian compiles Python's modules when it installs them. The same source gives the
# same bytes: its hash is in there, and not its time.
compile_python() {
  local home=$PACKAGES/python/usr
  [[ ! -d $home/lib/python3.11/__pycache__ ]] || return 0
  PYTHONHOME=$home "$home/bin/python3.11" -m compileall -q --invalidation-mode unchecked-hash \
    -s "$PACKAGES/python" -p / "$home/lib/python3.11"
}

prepare() { # NAME
  case $1 in
    pause | load) compile "$TOP/hack/images" "./$1" "$1" ;;
    kernel-observer | operator) compile "$TOP" "./cmd/$1" "$1" ;;
    busybox) unpack busybox-static ;;
    nginx) 
      unpack nginx
      need openssl=openssl # with openssl come the libraries that nginx is linked to
      ;;
    redis)
      unpack_together redis redis-tools libatomic1 libjemalloc2 liblzf1 libsystemd0 libssl3 libcap2 libgcrypt20 \
        libgpg-error0 liblzma5 libzstd1 liblz4-1
      ;;
    apache) unpack_together apache apache2-bin libapr1 libaprutil1 libpcre2-8-0 libcrypt1 libexpat1 libuuid1 ;;
    python)
      unpack_together python python3.11-minimal libpython3.11-minimal libpython3.11-stdlib libexpat1 zlib1g
      timed "compiling Python's modules" compile_python
      ;;
    *) die "no image is named $1; there are: kernel-observer operator pause load busybox nginx redis apache python" ;;
  esac
}

(($#)) || set -- kernel-observer operator
for image in "$@"; do
  case $image in
    kernel-observer | operator | pause | load) timed "compiling $image" prepare "$image" ;;
    *) prepare "$image" ;;
  esac
done
cd "$TOP/hack/images"
timed "writing images: $*" go run . -bin "$BIN" -packages "$PACKAGES" -out "$TOP/build/images" "$@"
