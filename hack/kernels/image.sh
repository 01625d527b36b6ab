#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# image.sh TEST OBSERVER FILE [TOOLS]: packs the file system of the test machines into
# FILE (an initramfs): busybox, strace, the test binary TEST, the program OBSERVER (none
# if it is empty) and the init beside this script. Another architecture's busybox and
# strace are in the tree TOOLS. KG_IMAGE_BTF is a file with the kernel's types, for one that
# has none of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=../tools/say.sh
. hack/tools/say.sh

main() {
  local test=$1 observer=$2 file=$3 tools=${4:-}
  ROOT=$(mktemp -d)
  trap 'rm -rf "$ROOT"' EXIT
  chmod 755 "$ROOT" # not all tests run as root
  mkdir -p "$ROOT"/{bin,dev,etc,proc,run,sys,tmp}
  if [[ -n $tools ]]; then
    foreign "$tools"
  else
    with_libraries "$(command -v busybox)" /bin/busybox
    with_libraries "$(command -v strace)" /bin/strace
  fi
  install -m 755 "$test" "$ROOT/bpf.test"
  [[ -z $observer ]] || install -m 755 "$observer" "$ROOT/bin/kernel-observer"
  [[ -z ${KG_IMAGE_BTF:-} ]] || install -m 644 "$KG_IMAGE_BTF" "$ROOT/types.btf"
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

# foreign TREE: what this machine cannot run it cannot ask for its libraries. Debian's
# strace needs the C library and its linker, busybox-static nothing.
foreign() {
  local file
  install -m 755 "$1/bin/busybox" "$1/usr/bin/strace" "$ROOT/bin/"
  for file in "$1"/lib/ld-linux-*.so.1 "$1"/lib/*/libc.so.6; do
    install -D -m 755 "$(readlink -f "$file")" "$ROOT${file#"$1"}"
  done
}

(($# == 3 || $# == 4)) || die "usage: image.sh TEST OBSERVER FILE [TOOLS]"
main "$@"
