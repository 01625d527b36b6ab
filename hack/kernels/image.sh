#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# image.sh TEST FILE: packs the file system of the test machines into FILE (an initramfs):
# busybox, strace, the test binary TEST and the init beside this script.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=../tools/say.sh
. hack/tools/say.sh

main() {
  local test=$1 file=$2
  ROOT=$(mktemp -d)
  trap 'rm -rf "$ROOT"' EXIT
  chmod 755 "$ROOT" # not all tests run as root
  mkdir -p "$ROOT"/{bin,dev,etc,proc,run,sys,tmp}
  with_libraries "$(command -v busybox)" /bin/busybox
  with_libraries "$(command -v strace)" /bin/strace
  with_libraries "$test" /bpf.test
  install -m 755 hack/kernels/init "$ROOT/init"
  printf 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$ROOT/etc/passwd"
  (cd "$ROOT" && find . -print0 | cpio --null --create --format=newc --owner=0:0 --quiet) >"$file.part"
  mv "$file.part" "$file"
}

# with_libraries PROGRAM PLACE: copies the program, and what it is linked to, to where the linker will look.
with_libraries() {
  local library
  install -D -m 755 "$1" "$ROOT$2"
  while read -r library; do
    [[ -e $ROOT$library ]] || install -D -m 755 "$(readlink -f "$library")" "$ROOT$library"
  done < <(ldd "$1" 2>/dev/null | grep -oE '/[^ ]+' || true)
}

(($# == 2)) || die "usage: image.sh TEST FILE"
main "$@"
