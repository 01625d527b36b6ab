# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What belongs to one start: the kernel's modules, and the node's identity and
# settings. They are the initramfs, so that the disk holds no keys and fits all kernels.

# Of these the kernel may have some built in.
VM_MODULES=(virtio_pci virtio_blk virtio_net ext4 overlay veth bridge)

# make_initramfs FILE
make_initramfs() {
  local tree=$VM/initramfs
  rm -rf "$tree"
  mkdir -p "$tree"/{bin,dev,proc,root,modules,node}
  install "$(command -v busybox)" "$tree/bin/busybox"
  install "$GUEST/init.sh" "$tree/init"
  add_modules "$tree/modules"
  add_node "$tree/node"
  (umask 077 && cd "$tree" && find . -print0 | cpio --null --create --format=newc --owner=0:0 --quiet >"$1")
  rm -rf "$tree"
}

# add_modules DIRECTORY: the modules with those that they need, unpacked, and their order.
add_modules() {
  local base=$VM/kernel version module file
  [[ ! -d $base/usr/lib/modules ]] || base=$base/usr
  version=$(basename "$base"/lib/modules/*)
  [[ -d $base/lib/modules/$version/kernel ]] ||
    die "the kernel $version was fetched without its modules: remove $(readlink -f "$VM/kernel") and try again"
  [[ -e $base/lib/modules/$version/modules.dep.bin ]] || depmod -b "$base" "$version"
  for module in "${VM_MODULES[@]}"; do
    modprobe --dirname "$base" --set-version "$version" --show-depends "$module"
  done | awk '$1 == "insmod" && !seen[$2]++ {print $2}' | while read -r file; do
    module=$(basename "$file")
    module=${module%%.ko*}.ko
    unpacked "$file" >"$1/$module"
    printf '%s\n' "$module" >>"$1/order"
  done
}

unpacked() {
  case $1 in
    *.xz) xz --decompress --stdout "$1" ;;
    *.zst) zstd --decompress --stdout --quiet "$1" ;;
    *) cat "$1" ;;
  esac
}

# add_node DIRECTORY: what is laid over the disk.
add_node() {
  local kg=$1/kg init=../bin/busybox
  mkdir -p "$kg" "$1/usr/sbin" "$1/root/.ssh" "$1/etc/dropbear" "$1/opt/cni/net.d"
  printf '127.0.0.1 localhost\n%s %s\n' "$VM_IP" "$VM_NODE" >"$1/etc/hosts"
  printf '%s\n' "$VM_NODE" >"$1/etc/hostname"
  printf '%s\n' "$VM_NODE" | md5sum | cut -c 1-32 >"$1/etc/machine-id"
  chmod 0700 "$1/root" "$1/root/.ssh" "$1/etc/dropbear"
  ! by_systemd || init=../lib/systemd/systemd
  ln -s "$init" "$1/usr/sbin/init"
  printf 'NODE=%s\nADDRESS=%s\nGATEWAY=%s\nLABELS=kernel-gossip.io/crun=true\n' "$VM_NODE" "$VM_IP" "$VM_GATEWAY" >"$kg/settings"
  sed "s|@DRIVER@|$(cgroup_driver)|" "$GUEST/kubelet.yaml" >"$kg/kubelet.yaml"
  sed "s|@SYSTEMD@|$(if by_systemd; then echo true; else echo false; fi)|" "$GUEST/containerd.toml" >"$kg/containerd.toml"
  sed "s|@POD_CIDR@|$VM_POD_CIDR|" "$GUEST/10-bridge.conflist" >"$1/opt/cni/net.d/10-bridge.conflist"
  install -m 0600 "$ETC/$VM_NAME-kubelet.kubeconfig" "$kg/kubelet.kubeconfig"
  install -m 0600 "$ETC/$VM_NAME-kubelet-serving.key" "$kg/kubelet-serving.key"
  install -m 0644 "$ETC/$VM_NAME-kubelet-serving.crt" "$kg/kubelet-serving.crt"
  install -m 0644 "$ETC/ca.crt" "$kg/ca.crt"
  install -m 0600 "$VM/key.pub" "$1/root/.ssh/authorized_keys"
  install -m 0600 "$VM/host-key" "$1/etc/dropbear/dropbear_ed25519_host_key"
}

# make_identity: the kubelet is a node of its own to the API server; whoever may
# enter the machine has the key of this start.
make_identity() {
  make_certificate "$VM_NAME-kubelet" ca "/O=system:nodes/CN=system:node:$VM_NODE" "" clientAuth
  write_kubeconfig "$VM_NAME-kubelet" "https://$NODE_IP:6443" "$ETC/$VM_NAME-kubelet.kubeconfig"
  make_certificate "$VM_NAME-kubelet-serving" ca "/O=system:nodes/CN=system:node:$VM_NODE" "subjectAltName=IP:$VM_IP,DNS:$VM_NODE" serverAuth
  ssh-keygen -q -t ed25519 -N '' -C "$KG_NODE_NAME" -f "$VM/key"
  dropbearkey -t ed25519 -f "$VM/host-key" | awk -v ip="$VM_IP" '/^ssh-ed25519 / {print ip, $1, $2}' >"$VM/known_hosts"
  [[ -s $VM/known_hosts ]]
}
