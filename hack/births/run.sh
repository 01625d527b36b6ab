#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Births of real images, as a Markdown table: see hack/births/main.go.
# Usage: hack/births/run.sh [-n BIRTHS] [-o FILE]
set -euo pipefail
TOP=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=../tools/say.sh
. "$TOP/hack/tools/say.sh"
# shellcheck source=../deploy/lib.sh
. "$TOP/hack/deploy/lib.sh"

IMAGES=(nginx redis apache python)

archives() { printf "%s\n" "${IMAGES[@]/#/$TOP/build/images/}" | sed "s/\$/.tar/"; }

choose_cluster
kubectl get crd podbirthcertificates.kernel-gossip.io >/dev/null 2>&1 || die "the cluster has no PodBirthCertificates: run make deploy"
"$TOP/hack/images/build.sh" "${IMAGES[@]}" >/dev/null
if [[ $OURS == true ]]; then
  mapfile -t files < <(archives)
  timed "loading the images into the one-node cluster" "$TOP/hack/cluster/node" import "${files[@]}"
else
  say "this is not the one-node cluster: its nodes need the images $(archives | tr '\n' ' ')"
fi
cd "$TOP"
export KUBECONFIG
go run ./hack/births "$@" "${IMAGES[@]}"
