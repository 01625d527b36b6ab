# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The disk: Debian's packages, unpacked and not installed, and the cluster's own
# programs. There are no kernel, modules or keys on it: those belong to a start.

VM_PACKAGES=(base-files busybox-static mount runc crun systemd dbus dropbear-bin)
VM_PROGRAMS=(kubelet containerd containerd-shim-runc-v2 ctr)
VM_PLUGINS=(bridge loopback host-local)

# root_image ARCHIVE...: prints the file of the disk that belongs to these sources and
# container images; it need not exist.
root_image() {
  local pin
  pin=$({
    declare -p VM_SUITE VM_PACKAGES VM_PROGRAMS VM_PLUGINS BIN
    declare -f make_root unpack_packages add_programs add_guest add_accounts seed_images unpack_images write_image
    find "$GUEST" "$VM_HERE/seed.toml" -type f -print0 | sort -z | xargs -0 cat
    cat "$@"
  } | sha256sum)
  printf '%s/root-%s.img\n' "$VM_CACHE" "${pin:0:12}"
}

# make_root FILE ARCHIVE...: builds the disk.
make_root() {
  TREE=$(mktemp -d "$VM_CACHE/.root.XXXXXX") # not local: the trap comes after the function
  trap 'rm -rf "$TREE"' EXIT
  chmod 0755 "$TREE"
  unpack_packages "$TREE"
  add_programs "$TREE"
  add_guest "$TREE"
  add_accounts "$TREE"
  seed_images "$TREE" "${@:2}"
  write_image "$TREE" "$1.part"
  rm -f "$VM_CACHE"/root-*.img # of other sources
  mv "$1.part" "$1"
}

# fetch_packages downloads the packages with all that they depend on. What is
# there is not looked for again: remove the directory to get newer ones.
fetch_packages() {
  local to
  to=$(packages_directory)
  # shellcheck disable=SC2034  # of archive.sh
  SUITE_LISTS=$VM_CACHE/lists/$VM_SUITE
  rm -rf "$to.part"
  mkdir -p "$to.part/partial"
  read_lists "$VM_SUITE"
  apt_of apt-get --yes --quiet=2 --download-only --no-install-recommends -o Dir::Cache::Archives="$to.part" \
    install "${VM_PACKAGES[@]}" >"$LOG/vm-packages.log" 2>&1 || {
    tail -n 3 "$LOG/vm-packages.log" >&2
    die "cannot download the packages of $VM_SUITE from $(mirror)"
  }
  mv -T "$to.part" "$to"
}

packages_directory() {
  local pin
  pin=$(printf '%s\n' "$VM_SUITE" "${VM_PACKAGES[@]}" | sha256sum)
  printf '%s/packages-%s\n' "$VM_CACHE" "${pin:0:12}"
}

unpack_packages() { # ROOT
  local directory package
  for directory in bin sbin lib lib64; do
    mkdir -p "$1/usr/$directory"
    ln -s "usr/$directory" "$1/$directory"
  done
  for package in "$(packages_directory)"/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar --extract --keep-directory-symlink --directory="$1"
  done
  rm -rf "$1"/usr/share/{doc,man,locale}
  # What Debian's own package would link when it is installed, for what no other package brings.
  "$1/bin/busybox" --list | while read -r name; do
    [[ -e $1/bin/$name || -e $1/sbin/$name ]] || ln -s busybox "$1/bin/$name"
  done
}

add_programs() { # ROOT
  install -D -t "$1/usr/local/bin" "${VM_PROGRAMS[@]/#/$BIN/}"
  install -D -t "$1/opt/cni/bin" "${VM_PLUGINS[@]/#/$BIN/}"
}

# The machine's own files. systemd starts what node.target names and nothing else.
add_guest() { # ROOT
  local units=$1/etc/systemd/system unit
  install -D -t "$1/kg" "$GUEST"/{setup,serve}.sh
  install -D -m 0644 "$GUEST/inittab" "$1/etc/inittab"
  install -D -m 0644 "$GUEST/system.conf" "$1/etc/systemd/system.conf"
  install -D -m 0644 -t "$units" "$GUEST"/units/*.{service,target}
  for unit in dbus.socket dbus.service; do
    install -D -m 0644 "$GUEST/units/early.conf" "$units/$unit.d/early.conf"
  done
  ln -sf node.target "$units/default.target"
}

add_accounts() { # ROOT
  printf '%s\n' root:x:0:0::/root:/bin/sh messagebus:x:100:100::/:/usr/sbin/nologin nobody:x:65534:65534::/:/usr/sbin/nologin >"$1/etc/passwd"
  printf '%s\n' root:x:0: messagebus:x:100: nogroup:x:65534: >"$1/etc/group"
  echo 'hosts: files' >"$1/etc/nsswitch.conf"
  : >"$1/etc/resolv.conf"
}

# Sparse: it takes the room of what is in it.
write_image() { # ROOT FILE
  truncate --size=2G "$2"
  mke2fs -q -F -t ext4 -O ^has_journal -E lazy_itable_init=1,nodiscard,root_owner=0:0 -m 0 -d "$1" "$2"
}
