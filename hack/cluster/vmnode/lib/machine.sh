# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The running machine: its network, its process, the way into it, its end. It is a
# component of the cluster, so that taking the cluster down ends it too.

# add_network gives the machine a link of its own to the other node: pods of both
# reach each other, and the other node's kube-proxy serves what a pod here sends to a service.
add_network() {
  enter ip tuntap add dev "$VM_DEVICE" mode tap
  enter ip addr add "$VM_GATEWAY/24" dev "$VM_DEVICE"
  enter ip link set "$VM_DEVICE" up
  enter ip route add "$VM_POD_CIDR" via "$VM_IP"
  enter sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
}

# The routes go with the device.
remove_network() {
  [[ -e $NS/net ]] || return 0
  ! enter ip link show "$VM_DEVICE" >/dev/null 2>&1 || enter ip link del "$VM_DEVICE"
}

# start_machine IMAGE: what is written to the disk is gone with the machine.
start_machine() {
  rm -f "$VM_CONSOLE"
  # One processor: two are not faster in emulation, and less reliable.
  start "$VM_NAME" env TMPDIR="$VM" qemu-system-x86_64 -name "$KG_NODE_NAME-$VM_NODE" \
    -nodefaults -no-user-config -display none -no-reboot \
    -machine pc,hpet=off -accel tcg,tb-size=512 -smp 1 -m "$KG_VM_MEMORY" -cpu "$(processor)" \
    -kernel "$VM/kernel/vmlinuz" -initrd "$VM/initramfs.cpio" -append "$(kernel_arguments)" \
    -drive "file=$1,if=virtio,format=raw,snapshot=on,cache=unsafe" \
    -netdev "tap,id=net,ifname=$VM_DEVICE,script=no,downscript=no" -device virtio-net-pci,netdev=net,romfile= \
    -serial "file:$VM_CONSOLE"
}

# processor is one without what costs an emulator more than it gives: with ERMS kernels
# clear pages byte by byte, with SMAP each look at user memory leaves the translated code,
# and protection keys flush the translations of addresses. QEMU 7.2 emulates cmpxchg16b
# wrongly (it changes flags), which kills kernels at random.
processor() {
  local without=(la57 cx16 erms smap smep umip pku mpx)
  printf 'max'
  printf ',%s=off' "${without[@]}"
}

# kernel_arguments leave out what watches memory or clears it for no test's sake: DAMON's
# statistics, which Debian's 7.2 has on, took a fifth of the processor.
kernel_arguments() {
  local all=(console=ttyS0 quiet rw panic=-1 mitigations=off audit=0 apparmor=0 lsm=capability cryptomgr.notests
    cgroup_no_v1=all tsc=reliable no_timer_check random.trust_cpu=on
    damon_stat.enabled=0 transparent_hugepage=never init_on_alloc=0 hardened_usercopy=off randomize_kstack_offset=off)
  printf '%s' "${all[*]}"
}

# await WHAT COMMAND...: waits until COMMAND succeeds, or the machine ends.
await() {
  local what=$1
  shift
  wait_for "$VM_PATIENCE" "$what" _answers_or_dead "$VM_NAME" "$@" && exists "$VM_NAME" && return
  say "the machine does not serve; the last lines of $VM_CONSOLE and of $LOG/$VM_NAME.log:"
  tail -n 5 "$VM_CONSOLE" "$LOG/$VM_NAME.log" >&2
  return 1
}

network_is_up() { grep -q "KG network " "$VM_CONSOLE"; }

# in_machine COMMAND...: runs it there, with this input and output.
in_machine() {
  enter ssh -F none -i "$VM/key" -o UserKnownHostsFile="$VM/known_hosts" -o GlobalKnownHostsFile=none \
    -o StrictHostKeyChecking=yes -o BatchMode=yes -o ConnectTimeout=30 -o LogLevel=ERROR \
    "root@$VM_IP" PATH=/usr/local/bin:/usr/sbin:/usr/bin "$@"
}

machine_ctr() { in_machine ctr --namespace k8s.io "$@"; }

import_into_machine() { # FILE...
  local file
  for file; do
    [[ -r $file ]] || die "cannot read the image archive $file; hack/images/build.sh NAME writes it"
    machine_ctr images import --local - <"$file" >"$LOG/vm-import.log" 2>&1 || {
      tail -n 5 "$LOG/vm-import.log" >&2
      die "importing $file failed"
    }
  done
}

# remove_machine leaves nothing of it. The machine ends first, so that its kubelet
# does not register again, and then the node, so that no pod is made for it.
remove_machine() {
  end_machine
  remove_network
  if host_kubectl --request-timeout=10s get --raw /readyz >/dev/null 2>&1; then
    host_kubectl delete --ignore-not-found node "$VM_NODE" >/dev/null
    another_machine || host_kubectl delete --ignore-not-found -f "$VM_HERE/runtimeclass.yaml" >/dev/null
    remove_pods
  fi
  rm -rf "${VM:?}" "${PID:?}/$VM_NAME"
  rm -f "$ETC/$VM_NAME"-kubelet*
}

another_machine() {
  local other
  for other in "$NODE"/vm-node*; do
    [[ $other == "$VM" || ! -e $other ]] || return 0
  done
  return 1
}

end_machine() {
  ! alive "$VM_NAME" || kill -KILL "$(<"$PID/$VM_NAME")"
  wait_for 30 "the machine to end" _machine_ended
}

# A cgroup can be removed when its last process has ended.
_machine_ended() {
  local at
  while read -r _ at; do
    [[ ! -d $at/$KG_NODE_NAME/system/$VM_NAME ]] || rmdir "$at/$KG_NODE_NAME/system/$VM_NAME" || return 1
  done < <(hierarchies)
}

# No kubelet is left that could confirm that a pod has ended.
remove_pods() {
  local namespace name
  host_kubectl get pods --all-namespaces --field-selector "spec.nodeName=$VM_NODE" --no-headers \
    -o custom-columns=NAMESPACE:.metadata.namespace,NAME:.metadata.name |
    while read -r namespace name; do
      host_kubectl delete pod --ignore-not-found --force --grace-period=0 --namespace "$namespace" "$name" >/dev/null 2>&1
    done
}
