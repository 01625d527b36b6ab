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
mount --make-rshared /
by_systemd || make_cgroups
network
read -r uptime _ </proc/uptime
echo "KG network $uptime" >/dev/console
