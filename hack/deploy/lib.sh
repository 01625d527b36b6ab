# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034  # NAMESPACE and OURS are for those who source this file
# Which cluster, and whether it is the one-node cluster of this machine.

NAMESPACE=kernel-gossip
NODE_ENV=$(cd "$(dirname "${BASH_SOURCE[0]}")/../cluster" && pwd)/node

# choose_cluster sets KUBECONFIG where the user did not, and OURS. Without either it
# refuses: the default context of a user's own configuration may be anything.
choose_cluster() {
  local env ours=
  env=$("$NODE_ENV" env 2>/dev/null) || env=
  if [[ -n ${KUBECONFIG:-} ]]; then
    _kubectl_from "$env"
    [[ -z $env ]] || ours=$(eval "$env" && _identity)
  elif [[ -n $env ]]; then
    eval "$env"
    ours=$(_identity)
  else
    die "no cluster: run make node-up, or set KUBECONFIG to the file of yours"
  fi
  kubectl --request-timeout=10s get --raw /readyz >/dev/null 2>&1 ||
    die "the API server that KUBECONFIG=$KUBECONFIG names does not answer"
  OURS=false
  [[ -z $ours || $(_identity) != "$ours" ]] || OURS=true
}

# The user's kubectl is used if there is one, else the one-node cluster's.
_kubectl_from() {
  command -v kubectl >/dev/null && return
  local own
  own=$("$NODE_ENV" bin)
  [[ -x $own/kubectl ]] || die "kubectl is not in the PATH"
  PATH=$PATH:$own
}

# Server and authority: the same for a copy of our kubeconfig, different for another cluster on that port.
_identity() {
  kubectl config view --raw --minify -o jsonpath='{.clusters[0].cluster.server} {.clusters[0].cluster.certificate-authority-data}'
}

# set_budget VALUE: the CPU budget of the observers; empty is their own default.
# Without a change nothing is rolled out.
set_budget() {
  kubectl -n "$NAMESPACE" set env daemonset/kernel-observer "CPU_BUDGET${1:+=}${1:--}" >&2
}
