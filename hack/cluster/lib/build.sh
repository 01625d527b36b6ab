# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Builds the cluster's programs from their Go modules. The versions are those of
# the go.mod files under hack/cluster/build; a change of any of them, or of how
# they are built, gives another directory: no stale binary is ever started.

BUILD=$HERE/build

# Program, module directory under build/, package.
PROGRAMS=(
  "kubectl kubernetes k8s.io/kubernetes/cmd/kubectl"
  "kube-apiserver kubernetes k8s.io/kubernetes/cmd/kube-apiserver"
  "kube-controller-manager kubernetes k8s.io/kubernetes/cmd/kube-controller-manager"
  "kube-scheduler kubernetes k8s.io/kubernetes/cmd/kube-scheduler"
  "kube-proxy kubernetes k8s.io/kubernetes/cmd/kube-proxy"
  "kubelet kubernetes k8s.io/kubernetes/cmd/kubelet"
  "etcd kubernetes go.etcd.io/etcd/server/v3"
  "containerd containerd github.com/containerd/containerd/v2/cmd/containerd"
  "containerd-shim-runc-v2 containerd github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2"
  "ctr containerd github.com/containerd/containerd/v2/cmd/ctr"
  "bridge containerd github.com/containernetworking/plugins/plugins/main/bridge"
  "loopback containerd github.com/containernetworking/plugins/plugins/main/loopback"
  "host-local containerd github.com/containernetworking/plugins/plugins/ipam/host-local"
  "forward forward ."
)

# sources MODULE...: prints all that pins the programs of these modules.
sources() {
  local kind module
  for kind in mod sum go; do
    for module; do cat "$BUILD/$module"/*."$kind"; done
  done
}

# bin_dir prints the directory of the binaries that belong to these sources.
bin_dir() {
  local pin
  pin=$({
    sources containerd forward kubernetes
    declare -p PROGRAMS KUBERNETES_VERSION CONTAINERD_VERSION
    declare -f build_program
  } | sha256sum)
  printf '%s/bin/%s\n' "$KG_NODE_HOME" "${pin:0:12}"
}

# build_programs builds what is missing; the first time that takes minutes.
build_programs() {
  local line name module package todo=() n=0
  mkdir -p "$BIN" "$LOG"
  for line in "${PROGRAMS[@]}"; do
    read -r name module package <<<"$line"
    [[ -x $BIN/$name ]] || todo+=("$line")
  done
  ((${#todo[@]})) || return 0
  command -v go >/dev/null || die "go is not in the PATH; install Go 1.26 or later"
  say "building ${#todo[@]} programs of the cluster into $BIN (about 12 minutes on 2 cores the first time)"
  for line in "${todo[@]}"; do
    read -r name module package <<<"$line"
    n=$((n + 1))
    timed "[$n/${#todo[@]}] $name" build_program "$name" "$module" "$package"
  done
}

build_program() { # NAME MODULE PACKAGE
  local version=k8s.io/component-base/version flags=(-trimpath -buildvcs=false) link="-s -w" minor
  case $2 in
    kubernetes)
      minor=${KUBERNETES_VERSION#1.}
      link+=" -X $version.gitVersion=v$KUBERNETES_VERSION -X $version.gitMajor=1 -X $version.gitMinor=${minor%.*}"
      ;;
    containerd) link+=" -X github.com/containerd/containerd/v2/version.Version=v$CONTAINERD_VERSION" ;;
  esac
  (
    cd "$BUILD/$2" || exit
    # The runtime and the plugins run inside other root file systems: no C library.
    if [[ $2 == kubernetes ]]; then unset CGO_ENABLED; else export CGO_ENABLED=0; fi
    [[ $2 != containerd ]] || flags+=(-tags no_btrfs)
    GOFLAGS='' GOWORK=off go build "${flags[@]}" -ldflags="$link" -o "$BIN/.$1.part" "$3" &&
      mv "$BIN/.$1.part" "$BIN/$1"
  ) >"$LOG/build.log" 2>&1 || {
    tail -n 5 "$LOG/build.log" >&2
    die "building $1 failed; the whole output is in $LOG/build.log"
  }
}
