#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Both halves of the gossip: a birth, a throttled container, and what is left of them.
set -euo pipefail
HERE=$(dirname "$(readlink -f "$0")")
# shellcheck source=lib.sh
. "$HERE/lib.sh"

main() {
  "$HERE/demo-1-pod-birth.sh"
  "$HERE/demo-2-cpu-throttle.sh"
  choose_cluster
  title "The pods are gone; what the kernel said of them stays"
  show kubectl get kernelwhispers,podbirthcertificates -n "$NAMESPACE"
  show kubectl logs -n "$NAMESPACE" -l app.kubernetes.io/name=kernel-observer --tail=20
}

main
