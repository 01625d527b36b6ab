#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a node needs before its daemons: file systems, network, cgroups. systemd
# has done the first and the last itself.
set -eu
# shellcheck source=/dev/null  # of this start
. /kg/settings

by_systemd() { [ -d /run/systemd/system ]; }

mount_all() {
  mount -t proc proc /proc
  mount -t sysfs sysfs /sys
  mkdir -p /dev/pts /dev/shm
  mount -t devpts devpts /dev/pts
  mount -t tmpfs tmpfs /dev/shm
  mount -t tmpfs -o mode=0755 tmpfs /run
  mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 /sys/fs/cgroup
  mount -t bpf bpf /sys/fs/bpf
  mount -t securityfs securityfs /sys/kernel/security
}

# Every controller for the kubelet's cgroups, and a place for the daemons.
make_cgroups() {
  for name in "" system; do
    mkdir -p "/sys/fs/cgroup/$name"
    # shellcheck disable=SC2013  # one line of words
    for controller in $(cat "/sys/fs/cgroup/$name/cgroup.controllers"); do
      echo "+$controller" >"/sys/fs/cgroup/$name/cgroup.subtree_control"
    done
  done
}

# An emulated processor takes 10 to 30 times as long for what a slice of time is made for,
# and a switch of tasks throws away what is known of addresses. Slices longer by more than
# that (the kernel's own are 0.7 ms with one processor) let a task get as far as elsewhere
# before another one has its turn. A timer for the end of each slice, as 7.2 sets, costs more
# than what runs meanwhile: setting it leaves the emulation.
slow_down() {
  sched=/sys/kernel/debug/sched
  [ -e $sched/base_slice_ns ] || return 0 # up to 6.5, which set no such timer
  echo NO_HRTICK >$sched/features
  echo 60000000 >$sched/base_slice_ns
}

# Debian's 3 asks for CAP_SYS_ADMIN where the kernel's own 2 asks for CAP_PERFMON, which the
# observer has: for perf tracepoints.
allow_tracepoints() { echo 2 >/proc/sys/kernel/perf_event_paranoid; }

network() {
  hostname -F /etc/hostname
  ip link set lo up
  ip address add "$ADDRESS/24" dev eth0
  ip link set eth0 up
  ip route add default via "$GATEWAY"
  echo 1 >/proc/sys/net/ipv4/ip_forward
}

by_systemd || mount_all
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug
slow_down
allow_tracepoints
mount --make-rshared /
by_systemd || make_cgroups
network
read -r uptime _ </proc/uptime
echo "KG network $uptime" >/dev/console
