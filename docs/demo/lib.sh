# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the demo scripts share: which cluster, waiting, printing. Every figure
# that they print is read from the cluster or from the node when it is printed.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=../../hack/tools/say.sh
. "$TOP/hack/tools/say.sh"
# shellcheck source=../../hack/deploy/lib.sh
. "$TOP/hack/deploy/lib.sh"

CERTIFICATES=podbirthcertificates.kernel-gossip.io
WHISPERS=kernelwhispers.kernel-gossip.io

# begin finds the cluster, checks that Kernel Gossip listens there, and chooses images.
begin() {
  [[ -n ${KUBECONFIG:-} ]] || "$NODE_ENV" env >/dev/null 2>&1 ||
    die "no cluster: run make node-up and then make deploy, or set KUBECONFIG to the file of yours and run make deploy"
  choose_cluster
  in_namespace get "$CERTIFICATES,$WHISPERS" >/dev/null 2>&1 ||
    die "Kernel Gossip is not on the cluster of KUBECONFIG=$KUBECONFIG: run make deploy"
  await 60 "kernel-observer listens on every node" rolled_out daemonset/kernel-observer
  await 60 "operator is ready" rolled_out deployment/operator
  choose_images
}

choose_images() {
  local nginx=nginx:1.27 busybox=busybox:1.36
  if [[ $OURS == true ]]; then
    nginx=localhost/kernel-gossip/nginx:dev busybox=localhost/kernel-gossip/busybox:dev
  fi
  # shellcheck disable=SC2034 # for the scripts
  NGINX_IMAGE=${NGINX_IMAGE:-$nginx} BUSYBOX_IMAGE=${BUSYBOX_IMAGE:-$busybox}
}

# need_gossip makes kubectl gossip work: the user's, or this tree's.
need_gossip() {
  PATH=$PATH:$TOP/build/bin
  command -v kubectl-gossip >/dev/null ||
    timed "building kubectl gossip" env CGO_ENABLED=0 go build -C "$TOP" -trimpath -o build/bin/ ./cmd/kubectl-gossip
}

in_namespace() { kubectl -n "$NAMESPACE" "$@"; }

rolled_out() { in_namespace rollout status "$1" --timeout=1s; }

# await SECONDS WHAT COMMAND...: says WHAT, tries COMMAND until it succeeds, and says
# how long that took; ends the script in one line when the time is over.
await() {
  local limit=$1 what=$2 began=$SECONDS
  shift 2
  printf '%s ... ' "$what" >&2
  if wait_for "$limit" "$what" "$@" 2>/dev/null; then
    printf 'after %d s\n' "$((SECONDS - began))" >&2
    return
  fi
  printf 'no\n' >&2
  die "not within $limit s: $what (docs/DEMO.md says what to look at)"
}

# found RESOURCE UID: an object about that pod exists and the operator has judged it.
found() { in_namespace wait "$1" -l "kernel-gossip.io/pod-uid=$2" --for=condition=Assessed --timeout=1s; }

# name_of RESOURCE UID: the first object about that pod.
name_of() { in_namespace get "$1" -l "kernel-gossip.io/pod-uid=$2" -o jsonpath='{.items[0].metadata.name}'; }

title() { printf '\n== %s\n' "$*"; }

# show COMMAND...: what one would type, and what it answers.
show() {
  printf '$ %s\n' "$*"
  "$@"
  printf '\n'
}

# field RESOURCE NAME JSONPATH
field() { in_namespace get "$1" "$2" -o jsonpath="$3"; }

# rows RESOURCE NAME LIST JSONPATH...: one line per entry of a list, tabs between the fields.
rows() {
  local resource=$1 name=$2 list=$3 columns='' path
  shift 3
  for path in "$@"; do columns+="{$path}{\"\\t\"}"; done
  field "$resource" "$name" "{range ${list}[*]}$columns{\"\\n\"}{end}"
}
