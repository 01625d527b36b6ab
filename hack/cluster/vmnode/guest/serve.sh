#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# serve.sh NAME: becomes the daemon, with its log in /var/log. Without systemd it
# goes into a cgroup of its own first.
set -eu
# shellcheck source=/dev/null  # of this start
. /kg/settings
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root

if [ ! -d /run/systemd/system ]; then
  mkdir -p "/sys/fs/cgroup/system/$1"
  echo $$ >"/sys/fs/cgroup/system/$1/cgroup.procs"
fi
exec >>"/var/log/$1.log" 2>&1
case $1 in
  containerd)
    # Up to Linux 5.10 what BPF maps take counts against it, also in containers.
    # shellcheck disable=SC3045  # of busybox
    ulimit -l unlimited
    exec containerd --config /kg/containerd.toml
    ;;
  kubelet)
    until [ -S /run/containerd/containerd.sock ]; do sleep 0.1; done
    exec kubelet --config=/kg/kubelet.yaml --kubeconfig=/kg/kubelet.kubeconfig \
      --hostname-override="$NODE" --node-ip="$ADDRESS" --node-labels="$LABELS"
    ;;
  # Foreground, log to standard error, no passwords, no forwarding.
  ssh) exec dropbear -F -E -s -j -k ;;
esac
