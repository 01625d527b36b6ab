#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh [here | SUITE... | IMAGE...]: lets kernel-observer doctor examine this machine and machines
# with Debian's kernels (QEMU without KVM), leaves the reports in build/doctor/ and the
# table of all reports there in docs/reference/support.md. Without arguments all suites.
#
# An IMAGE, with a slash in its name, is a kernel of the user's own (bzImage for amd64);
# KG_KERNEL_BTF is a file with its types, if it has none itself.
#
# Other runs (a node of another distribution, arm64) join the table by a report of theirs:
#   kernel-observer doctor -o json > build/doctor/NAME.json
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=../tools/say.sh
. hack/tools/say.sh

REPORTS=build/doctor
SUITES=(bullseye bookworm trixie sid)
# The oldest kernel is also where cgroup v1 is most likely to be met.
V1_SUITE=bullseye

main() {
  local work
  case $* in
  "") ;;
  here) SUITES=() ;;
  *) SUITES=("$@") ;;
  esac
  work=$(mktemp -d)
  # shellcheck disable=SC2064 # the directory of now
  trap "rm -rf '$work'" EXIT
  mkdir -p "$REPORTS" build/bin
  CGO_ENABLED=0 go build -trimpath -o build/bin/ ./cmd/kernel-observer
  here
  ((${#SUITES[@]} == 0)) || machines "$work"
  go run ./hack/support "$REPORTS" docs/reference/support.md
}

# machines WORK examines one after the other: each takes a processor for itself.
machines() {
  local suite version kernel suites=()
  pack "$1/image"
  for suite in "${SUITES[@]}"; do
    if [[ $suite == */* ]]; then
      examine "$1" "$(version_of "$suite")" "$suite" v2
      examine "$1" "$(version_of "$suite")" "$suite" v1
    else
      suites+=("$suite")
    fi
  done
  ((${#suites[@]})) || return 0
  while read -r suite version kernel; do
    examine "$1" "$version" "$kernel" v2
    [[ $suite != "$V1_SUITE" ]] || examine "$1" "$version" "$kernel" v1
  done < <(hack/kernels/prepare.sh "${suites[@]}")
}

# version_of IMAGE: what uname -r will say, which a bzImage tells at the place that is named
# at 0x20e (hack/kernels/own.go).
version_of() {
  local at
  at=$(od -An -tu2 -j 526 -N 2 "$1")
  head -c "$((at + 512 + 128))" "$1" | tail -c 128 | tr '\0 ' '\n' | sed -n 1p
}

# here examines this machine. The exit code is the verdict; 1 and 2 are failures.
here() {
  local name flags types=/sys/kernel/btf/vmlinux
  if ((EUID != 0)); then
    say "this machine is left out: not root"
    return
  fi
  while read -r name flags; do
    flags=${flags//\/tmp\/types.btf/$types}
    # shellcheck disable=SC2086 # flags are several words
    build/bin/kernel-observer doctor --node-name=here -o json $flags >"$REPORTS/here.$name.json" || (($? > 2))
  done <hack/support/cases
  mv "$REPORTS/here.all.json" "$REPORTS/here.json"
}

# pack FILE: the file system of the machines.
pack() {
  local root=$1.d
  mkdir -p "$root"/{bin,dev,proc,sys,tmp}
  install -m 755 "$(command -v busybox)" "$root/bin/busybox"
  install -m 755 build/bin/kernel-observer "$root/kernel-observer"
  install -m 755 hack/support/init "$root/init"
  install -m 644 hack/support/cases "$root/cases"
  [[ -z ${KG_KERNEL_BTF:-} ]] || install -m 644 "$KG_KERNEL_BTF" "$root/types.btf"
  if [[ -n ${KG_SUPPORT_RECORD:-} ]]; then
    CGO_ENABLED=0 go test -c -o "$root/record" ./internal/doctor
  fi
  (cd "$root" && find . -print0 | cpio --null --create --format=newc --owner=0:0 --quiet) >"$1"
}

# examine WORK VERSION KERNEL CGROUP: one machine, one report for each case.
examine() {
  local work=$1 version=$2 kernel=$3 cgroup=$4 choice="cgroup_no_v1=all" name
  [[ $cgroup == v2 ]] || choice="kg.cgroup=v1"
  name=$version-$cgroup
  timed "examining Linux $version with cgroup $cgroup" boot "$work" "$kernel" "$choice"
  rm -f "$REPORTS/$name".*
  # A report begins behind the line that names its case.
  tr -d '\r' <"$work/reports" | awk -v name="$REPORTS/$name" '
    /^=== / {file = name "." $2 ($2 == "recording" ? ".yaml" : ".json"); next}
    file {print > file}'
  mv "$REPORTS/$name.all.json" "$REPORTS/$name.json"
}

# boot WORK KERNEL CHOICE: see hack/kernels/machine.go for what these options are for.
boot() {
  local work=$1 kernel=$2 choice=$3
  rm -f "$work"/{console,reports}
  timeout 600 qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot \
    -machine pc,hpet=off -accel tcg,thread=single -smp 2 -m 512 -cpu max,la57=off,cx16=off \
    -kernel "$kernel" -initrd "$work/image" \
    -append "console=ttyS0 quiet panic=-1 mitigations=off audit=0 apparmor=0 cryptomgr.notests tsc=reliable no_timer_check random.trust_cpu=on $choice" \
    -serial "file:$work/console" -serial "file:$work/reports" </dev/null >&2
  grep -q 'KG done' "$work/console" || {
    tail -n 20 "$work/console" >&2
    return 1
  }
}

main "$@"
