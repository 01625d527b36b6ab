# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034  # the variables are for those who source this file
# Names, places and addresses of the one-node cluster.

# Settings of the user.
KG_NODE_HOME=${KG_NODE_HOME:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/kernel-gossip} # binaries and state
KG_NODE_NAME=${KG_NODE_NAME:-kernel-gossip}                                          # cgroup, and owner on this machine
KG_NODE_PORT=${KG_NODE_PORT:-16443}                                                  # of the API server on this machine's loopback

KUBERNETES_VERSION=1.37.2
CONTAINERD_VERSION=2.3.7

NODE=$KG_NODE_HOME/node          # all of the running cluster; removed by down
LOG=$KG_NODE_HOME/log            # survives down, for a look after a crash
PID=$NODE/pid                    # one file for each component
NS=$NODE/ns                      # the two namespaces, kept alive as bind mounts
ROOT=$NODE/root                  # what the node sees as /run, /var/lib, /var/log and /opt
ETC=$ROOT/var/lib/kubernetes     # keys and configuration, the node's /var/lib/kubernetes
OWNER=/run/$KG_NODE_NAME-node    # which state directory the cluster of this name belongs to
COMPONENTS=(etcd kube-apiserver kube-controller-manager kube-scheduler containerd kubelet kube-proxy forward)

# Addresses exist only inside the cluster's network namespace.
NODE_IP=10.200.0.1
POD_CIDR=10.245.0.0/24
SERVICE_CIDR=10.96.0.0/16
SERVICE_IP=10.96.0.1

HOST_KUBECONFIG=$NODE/kubeconfig
HOST_SERVER=https://127.0.0.1:$KG_NODE_PORT

check_config() {
  ((EUID == 0)) || die "the one-node cluster needs root; run it with sudo"
  case $KG_NODE_NAME in
    '' | *[!a-z0-9-]*) die "KG_NODE_NAME=$KG_NODE_NAME: use lower-case letters, digits and hyphens only" ;;
  esac
  case $KG_NODE_PORT in
    '' | *[!0-9]*) die "KG_NODE_PORT=$KG_NODE_PORT: give a port number" ;;
  esac
  case $KG_NODE_HOME in
    /run/* | /var/run/* | /var/lib/* | /var/log/* | /opt/*)
      die "KG_NODE_HOME=$KG_NODE_HOME: choose a place outside /run, /var/lib, /var/log and /opt; the node has its own of those" ;;
    /*) ;;
    *) die "KG_NODE_HOME=$KG_NODE_HOME: give an absolute path" ;;
  esac
}
