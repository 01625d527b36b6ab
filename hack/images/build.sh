#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Writes image archives to build/images. Usage: hack/images/build.sh NAME...
# Names: pause busybox nginx kernel-observer operator. Needs neither Docker nor root,
# apart from installing what is missing on Debian.
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
unpack() {
  local to=$PACKAGES/$1 work
  [[ ! -d $to ]] || return 0
  command -v apt-get >/dev/null || die "the image needs Debian's package $1, and this machine has no apt-get"
  mkdir -p "$PACKAGES"
  work=$(mktemp -d "$PACKAGES/.XXXXXX")
  timed "fetching Debian's package $1" _download "$1" "$work"
  dpkg -x "$work"/*.deb "$work/files"
  mv "$work/files" "$to"
  rm -r "$work"
}

_download() {
  (cd "$2" && { apt-get -o APT::Sandbox::User=root download "$1" || { apt-get update && apt-get -o APT::Sandbox::User=root download "$1"; }; }) >"$2/log" 2>&1 ||
    { tail -n 3 "$2/log" >&2; return 1; }
}

prepare() { # NAME
  case $1 in
    pause) compile "$TOP/hack/images" ./pause pause ;;
    kernel-observer | operator) compile "$TOP" "./cmd/$1" "$1" ;;
    busybox) unpack busybox-static ;;
    nginx) 
      unpack nginx
      need openssl=openssl # with openssl come the libraries that nginx is linked to
      ;;
    *) die "no image is named $1; there are: pause busybox nginx kernel-observer operator" ;;
  esac
}

(($#)) || set -- pause busybox nginx kernel-observer operator
for image in "$@"; do
  case $image in
    kernel-observer | operator | pause) timed "compiling $image" prepare "$image" ;;
    *) prepare "$image" ;;
  esac
done
cd "$TOP/hack/images"
timed "writing images: $*" go run . -bin "$BIN" -packages "$PACKAGES" -out "$TOP/build/images" "$@"
