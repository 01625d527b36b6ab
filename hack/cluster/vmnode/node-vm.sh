#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A second node for the one-node cluster of this machine: cgroup v2, containerd with
# runc and crun, on a kernel of Debian, in a virtual machine that QEMU emulates.
#
#   node-vm.sh up [FILE...]     start it (the cluster has to be up), with these image archives
#                               beside pause, busybox and nginx; no-op when it runs
#   node-vm.sh down             end it and remove all that it made
#   node-vm.sh status           say whether it runs, and what it takes
#   node-vm.sh import FILE...   load image archives into the running one (slowly)
#   node-vm.sh run COMMAND...   run a command there as root
#   node-vm.sh fetch            fetch Debian's kernel and packages only
#
#   node-vm.sh prepare [FILE...] build the disk only, with these image archives
#
# KG_VM_KERNEL (5.10, 6.1, 6.12 or sid; default 6.12), KG_VM_SYSTEMD (1: systemd and its
# cgroup driver), KG_VM_MEMORY (MiB) and KG_VM_NUMBER (2 or 3: node2 and node3 may run at
# the same time) may be set, and all that the cluster's node knows.
set -euo pipefail
VM_HERE=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
HERE=$(dirname "$VM_HERE")
TOP=$(cd "$HERE/../.." && pwd)
# shellcheck disable=SC2034  # of lib/
GUEST=$VM_HERE/guest
for part in hack/tools/{say,debian} hack/kernels/archive hack/cluster/lib/{config,build,cgroups,namespaces,pki,components,state} hack/cluster/vmnode/lib/{config,root,seed,start,machine}; do
  # shellcheck source=/dev/null
  . "$TOP/$part.sh"
done
# shellcheck disable=SC2034  # of lib/
BIN=$(bin_dir)
IMAGES=("$TOP"/build/images/{pause,busybox,nginx}.tar)

up() {
  check_vm_config
  lock_machine
  refuse_other_owner
  running || die "the one-node cluster is not up: run make node-up"
  if vm_running; then
    say "$VM_NODE is already up: nothing to do"
    return
  fi
  prepare "$@"
  timed "removing what was left of $VM_NODE" remove_machine
  mkdir -p "$VM"
  ln -s "$KERNEL" "$VM/kernel"
  trap 'say "node-vm up failed; the logs are in $LOG; make node-vm-down removes what was started"' EXIT
  bring_up
  trap - EXIT
}

# lock_machine keeps starts of one machine apart, and the cluster's start and stop away;
# those of two machines may be at the same time.
lock_machine() {
  mkdir -p /run/lock
  exec {LOCK}>"/run/lock/$KG_NODE_NAME-node"
  flock --shared "$LOCK"
  exec {OWN}>"/run/lock/$KG_NODE_NAME-$VM_NAME"
  flock "$OWN"
}

# prepare is for one at a time.
prepare() {
  local turn
  mkdir -p "$VM_CACHE"
  exec {turn}>"$VM_CACHE/.lock"
  flock "$turn"
  IMAGES+=("$@")
  make_ready
  exec {turn}>&-
}

make_ready() {
  local file
  fetch
  build_programs
  "$TOP/hack/images/build.sh" pause busybox nginx >/dev/null
  for file in "${IMAGES[@]}"; do
    [[ -r $file ]] || die "cannot read the image archive $file; hack/images/build.sh NAME writes it"
  done
  DISK=$(root_image "${IMAGES[@]}")
  [[ -e $DISK ]] || timed "building the disk" make_root "$DISK" "${IMAGES[@]}"
}

fetch() {
  need modprobe=kmod mke2fs=e2fsprogs xz=xz-utils zstd=zstd ssh=openssh-client dropbearkey=dropbear-bin
  [[ -c /dev/net/tun ]] || die "this machine has no /dev/net/tun; load the kernel's module tun"
  KERNEL=$("$TOP/hack/kernels/prepare.sh" "$(vm_suite)" | awk '{print $3}')
  KERNEL=$(readlink -f "$(dirname "$KERNEL")")
  mkdir -p "$VM_CACHE" "$LOG"
  [[ -d $(packages_directory) ]] || timed "fetching Debian's packages of $VM_SUITE" fetch_packages
}

bring_up() {
  local began=$SECONDS
  timed "making the node's keys and initramfs" lay_out
  timed "booting $(basename "$KERNEL")" boot
  timed "waiting for the kubelet to register" await "$VM_NODE to register" host_kubectl get node "$VM_NODE"
  timed "waiting for $VM_NODE to be Ready" await "$VM_NODE to be Ready" \
    host_kubectl wait --for=condition=Ready "node/$VM_NODE" --timeout=1s
  touch "$VM/started"
  say "$VM_NODE is Ready, $((SECONDS - began)) s after the start; it takes $(resident) MiB"
}

lay_out() {
  make_identity >"$LOG/pki-$VM_NAME.log" 2>&1
  make_initramfs "$VM/initramfs.cpio"
}

boot() {
  add_network
  (
    exec {OWN}>&- # the lock belongs to the script, not to what it starts
    start_machine "$DISK"
  )
  await "the machine's network" network_is_up
  host_kubectl apply -f "$VM_HERE/runtimeclass.yaml" >/dev/null
}

vm_running() {
  [[ -e $VM/started ]] && alive "$VM_NAME" && host_kubectl wait --for=condition=Ready "node/$VM_NODE" --timeout=10s >/dev/null 2>&1
}

# resident is what the emulator occupies of this machine's memory.
resident() { awk '/^VmRSS:/ {print int($2 / 1024)}' "/proc/$(<"$PID/$VM_NAME")/status"; }

down() {
  lock
  refuse_other_owner
  if [[ ! -e $VM ]]; then
    say "$VM_NODE is down: nothing to do"
    return
  fi
  timed "removing $VM_NODE" remove_machine
}

status() {
  if ! alive "$VM_NAME"; then
    say "$VM_NODE is down"
    return 1
  fi
  printf 'pid %s, %s MiB, %s of CPU time\n' "$(<"$PID/$VM_NAME")" "$(resident)" "$(ps -o time= -p "$(<"$PID/$VM_NAME")")"
  host_kubectl get node "$VM_NODE" -o wide
}

import() {
  (($#)) || die "usage: node-vm.sh import FILE..."
  alive "$VM_NAME" || die "$VM_NODE is not up: run make node-vm-up"
  import_into_machine "$@"
}

run_there() {
  alive "$VM_NAME" || die "$VM_NODE is not up: run make node-vm-up"
  in_machine "$@"
}

main() {
  local command=${1:-}
  shift || true
  case $command in
    up | down | status | import | fetch | prepare) check_config && "$command" "$@" ;;
    run) check_config && run_there "$@" ;;
    *)
      sed -n '3,/^set/{/^set/d;s/^# \{0,1\}//p}' "$VM_HERE/node-vm.sh" >&2
      exit 2
      ;;
  esac
}

main "$@"
