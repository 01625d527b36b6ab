# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Container images that are on the disk from the start. A containerd that runs for
# a moment unpacks them here, where that takes a second and not half a minute.

# seed_images TREE FILE...: into the store of the containerd that will run from TREE.
seed_images() {
  local work pid status=0
  work=$(mktemp -d) # a socket's path has to be short
  sed -e "s|@ROOT@|$1/var/lib/containerd|" -e "s|@WORK@|$work|" "$VM_HERE/seed.toml" >"$work/config.toml"
  # In a mount namespace of its own, so that nothing stays mounted.
  unshare --mount --propagation private "$BIN/containerd" --config "$work/config.toml" >"$LOG/vm-seed.log" 2>&1 &
  pid=$!
  unpack_images "$work/socket" "${@:2}" || status=$?
  kill "$pid"
  wait "$pid" || true
  rm -rf "$work"
  return "$status"
}

unpack_images() { # SOCKET FILE...
  local file
  wait_for 60 "containerd to answer" "$BIN/ctr" --address "$1" version || return
  for file in "${@:2}"; do
    "$BIN/ctr" --address "$1" --namespace k8s.io images import --local \
      --label io.cri-containerd.image=managed "$file" >>"$LOG/vm-seed.log" 2>&1 || {
      tail -n 5 "$LOG/vm-seed.log" >&2
      say "importing $file failed"
      return 1
    }
  done
}
