#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Has the cluster under test serve metrics.k8s.io if it is the one-node cluster of
# this machine. On another cluster nothing is installed.
set -euo pipefail
TOP=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=../tools/say.sh
. "$TOP/hack/tools/say.sh"
# shellcheck source=../deploy/lib.sh
. "$TOP/hack/deploy/lib.sh"

choose_cluster
if [[ $OURS == true ]]; then
  "$TOP/hack/cluster/node" metrics-server
elif ! kubectl get --raw /apis/metrics.k8s.io/v1beta1 >/dev/null 2>&1; then
  say "the cluster of KUBECONFIG does not serve metrics.k8s.io: what a whisper quotes of it will not be tested; install metrics-server there to test it"
fi
