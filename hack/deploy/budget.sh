#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The CPU budget that the DaemonSet of the cluster gives its observers ($CPU_BUDGET).
# Usage: budget.sh          prints it, and nothing where the observers have their own default
#        budget.sh VALUE    sets it; an empty VALUE brings back their own default
set -euo pipefail
TOP=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=../tools/say.sh
. "$TOP/hack/tools/say.sh"
# shellcheck source=lib.sh
. "$TOP/hack/deploy/lib.sh"

choose_cluster
if (($#)); then
  set_budget "$1"
else
  kubectl -n "$NAMESPACE" get daemonset kernel-observer --ignore-not-found \
    -o jsonpath='{.spec.template.spec.containers[?(@.name=="kernel-observer")].env[?(@.name=="CPU_BUDGET")].value}'
fi
