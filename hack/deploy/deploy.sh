#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs kernel-observer and operator on the cluster of KUBECONFIG, or on the
# one-node cluster of this machine. KG_CPU_BUDGET=2% gives the observers another CPU
# budget than their own of 1 % (0: any), KG_CPU_BUDGET= brings that back; without the
# variable a budget that was set stays.
set -euo pipefail
TOP=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=../tools/say.sh
. "$TOP/hack/tools/say.sh"
# shellcheck source=lib.sh
. "$TOP/hack/deploy/lib.sh"

COMPONENTS=(kernel-observer operator)

ARCHIVES=("$TOP"/build/images/{kernel-observer,operator}.tar)
declare -A WORKLOAD=([kernel-observer]=daemonset/kernel-observer [operator]=deployment/operator)

# archive_id prints the image id that containerd gives to an archive of ours.
archive_id() { tar -xOf "$TOP/build/images/$1.tar" manifest.json | grep -oE 'sha256:[0-9a-f]{64}' | head -n 1; }

running_ids() {
  kubectl -n "$NAMESPACE" get pods -l "app.kubernetes.io/name=$1" \
    -o jsonpath='{range .items[*].status.containerStatuses[*]}{.imageID}{"\n"}{end}' 2>/dev/null || true
}

# outdated COMPONENT: a pod runs another image than the one just built under the same tag.
outdated() {
  local want
  want=$(archive_id "$1")
  running_ids "$1" | grep -v -e '^$' -e "$want" >/dev/null
}

load_images() {
  if [[ $OURS == true ]]; then
    timed "loading the images into the one-node cluster" "$TOP/hack/cluster/node" import "${ARCHIVES[@]}"
  else
    say "this is not the one-node cluster: its nodes need the images of $TOP/build/images under the names in k8s/ (kind load image-archive FILE, ctr -n k8s.io images import FILE)"
  fi
}

main() {
  local component stale=()
  choose_cluster
  compgen -G "$TOP/k8s/*.yaml" >/dev/null || die "k8s/ has no manifests"
  "$TOP/hack/images/build.sh" "${COMPONENTS[@]}"
  load_images
  if [[ $OURS == true ]]; then
    for component in "${COMPONENTS[@]}"; do
      ! outdated "$component" || stale+=("$component")
    done
  fi
  timed "applying k8s/" kubectl apply -f "$TOP/k8s/"
  [[ -z ${KG_CPU_BUDGET+set} ]] || set_budget "$KG_CPU_BUDGET"
  for component in "${stale[@]}"; do
    say "$component: a new image under the same tag, restarting its pods"
    kubectl -n "$NAMESPACE" rollout restart "${WORKLOAD[$component]}" >/dev/null
  done
  for component in "${COMPONENTS[@]}"; do
    await "$component"
  done
  kubectl -n "$NAMESPACE" get pods -o wide
}

await() {
  kubectl -n "$NAMESPACE" rollout status "${WORKLOAD[$1]}" --timeout=120s >&2 && return
  say "$1 did not become ready; what its pods say:"
  kubectl -n "$NAMESPACE" get pods -l "app.kubernetes.io/name=$1" >&2
  kubectl -n "$NAMESPACE" logs -l "app.kubernetes.io/name=$1" --tail=5 >&2 || true
  kubectl -n "$NAMESPACE" get events --field-selector type=Warning -o custom-columns=OBJECT:.involvedObject.name,MESSAGE:.message >&2 || true
  exit 1
}

main
