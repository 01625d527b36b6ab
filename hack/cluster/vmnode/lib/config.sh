# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2153  # for those who source this file; NODE, ETC and others are of the cluster's config.sh
# Names, places and addresses of the node in a virtual machine.

# Settings of the user.
KG_VM_KERNEL=${KG_VM_KERNEL:-6.12}  # series of Debian's kernels: 5.10, 6.1, 6.12, or sid for the newest
KG_VM_SYSTEMD=${KG_VM_SYSTEMD:-}    # 1: systemd is the first process and the cgroup driver
KG_VM_MEMORY=${KG_VM_MEMORY:-1536}  # MiB
KG_VM_NUMBER=${KG_VM_NUMBER:-2}     # of the node: 2 or 3

VM_NODE=node$KG_VM_NUMBER
VM_NAME=vm-$VM_NODE         # of the machine among the cluster's components
VM=$NODE/$VM_NAME           # the running machine; removed with it, and with the cluster
VM_CACHE=$KG_NODE_HOME/vm   # packages and disk image, kept
VM_CONSOLE=$LOG/$VM_NAME-console.log
VM_PATIENCE=600             # seconds; several times what an emulated node needs on two busy processors

VM_DEVICE=vm$KG_VM_NUMBER
VM_IP=10.200.$KG_VM_NUMBER.2
VM_GATEWAY=10.200.$KG_VM_NUMBER.1
VM_POD_CIDR=10.245.$KG_VM_NUMBER.0/24
# The image's programs are Debian's, whatever the kernel is.
VM_SUITE=trixie

# vm_suite prints the suite of Debian that has the kernel.
vm_suite() {
  case $KG_VM_KERNEL in
    5.10) echo bullseye ;;
    6.1) echo bookworm ;;
    6.12) echo trixie ;;
    sid) echo sid ;;
    *) die "KG_VM_KERNEL=$KG_VM_KERNEL: choose 5.10, 6.1, 6.12 or sid" ;;
  esac
}

check_vm_config() {
  local suite
  suite=$(vm_suite)
  case $KG_VM_NUMBER in
    2 | 3) ;;
    *) die "KG_VM_NUMBER=$KG_VM_NUMBER: there can be node2 and node3" ;;
  esac
  case $KG_VM_SYSTEMD in
    '' | 0 | 1) ;;
    *) die "KG_VM_SYSTEMD=$KG_VM_SYSTEMD: give 1 for systemd, or nothing" ;;
  esac
  case $KG_VM_MEMORY in
    '' | *[!0-9]*) die "KG_VM_MEMORY=$KG_VM_MEMORY: give a number of MiB" ;;
  esac
  say "$VM_NODE: a node with Debian's kernel $KG_VM_KERNEL ($suite), cgroup v2 and the cgroup driver $(cgroup_driver)"
}

by_systemd() { [[ $KG_VM_SYSTEMD == 1 ]]; }
cgroup_driver() { if by_systemd; then echo systemd; else echo cgroupfs; fi; }
