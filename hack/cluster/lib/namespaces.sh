# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The node has a network namespace with no way out, and a mount namespace in
# which /run, /var/lib, /var/log and /opt are its own. So it uses the paths of
# every other node (/var/lib/kubelet, /run/netns, /opt/cni/bin), meets nothing of
# this machine there, and its mounts vanish together with the namespace.

NODE_DIRECTORIES=(run var/lib var/log opt)

make_namespaces() {
  mkdir -p "$NS" "${NODE_DIRECTORIES[@]/#/$ROOT/}"
  mount --bind "$NS" "$NS"
  mount --make-private "$NS" # a namespace file cannot sit on a shared mount
  touch "$NS/net" "$NS/mnt"
  unshare --net="$NS/net" --mount="$NS/mnt" --propagation slave true
  enter bash -euc "$_FURNISH" furnish "$ROOT" "$NS" "${NODE_DIRECTORIES[@]}"
  make_network
}

# Runs inside. The directories are bound before the mounts are shared, so that each
# is a peer group of its own and no mount below shows up twice. Tracefs and bpffs
# are there on every node that systemd started.
# shellcheck disable=SC2016
_FURNISH='
root=$1 ns=$2; shift 2
umount "$ns"
for directory; do mount --bind "$root/$directory" "/$directory"; done
mount --make-rshared /
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing || true
mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf || true
'

# The route for services has no gateway: kube-proxy rewrites their addresses before
# a packet is sent, and one that it does not know ends at this bridge.
make_network() {
  enter ip link set lo up
  enter ip link add node0 type bridge
  enter ip addr add "$NODE_IP/24" dev node0
  enter ip link set node0 up
  enter ip route add "$SERVICE_CIDR" dev node0
}

# enter COMMAND...: runs it where the node is. The working directory is / there.
enter() { nsenter --net="$NS/net" --mount="$NS/mnt" "$@"; }

remove_namespaces() {
  local at
  while at=$(awk -v below="$NS" '$2 == below || index($2, below "/") == 1 {print $2}' /proc/self/mounts | tail -n 1) && [[ -n $at ]]; do
    umount "$at" || die "cannot unmount $at"
  done
}
