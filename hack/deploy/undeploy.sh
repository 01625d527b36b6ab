#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Deletes what k8s/ describes and waits until it is gone. Nothing there is no error.
set -euo pipefail
TOP=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=../tools/say.sh
. "$TOP/hack/tools/say.sh"
# shellcheck source=lib.sh
. "$TOP/hack/deploy/lib.sh"

choose_cluster
compgen -G "$TOP/k8s/*.yaml" >/dev/null || die "k8s/ has no manifests"
timed "deleting what k8s/ describes" kubectl delete -f "$TOP/k8s/" --ignore-not-found --wait --timeout=120s
