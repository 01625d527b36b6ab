#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measurements on a cluster that runs both components (make node-up deploy); those of
# objects, of the recommender and of the cost need none.
# Usage: hack/bench/run.sh storm [ROUNDS] | births [FLAGS] | memory [FLAGS] | objects [FLAGS] | recommender [FLAGS] | cost [FLAGS]
set -euo pipefail
TOP=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=../tools/say.sh
. "$TOP/hack/tools/say.sh"
# shellcheck source=../tools/debian.sh
. "$TOP/hack/tools/debian.sh"
# shellcheck source=../deploy/lib.sh
. "$TOP/hack/deploy/lib.sh"

# storm ROUNDS: a hundred births within a minute, over and over; ends at the first failure.
storm() {
  KG_TEST_STAGE=e2e KG_STORM_ROUNDS=${1:-10} \
    go test -count=1 -failfast -timeout "$((5 * ${1:-10}))m" -v -run '^TestStorm$' ./test/e2e
}

births() { go run ./hack/bench/births "$@"; }

memory() {
  CGO_ENABLED=0 go build -trimpath -o build/bin/ ./cmd/kernel-observer
  go build -o build/bin/bench-memory ./hack/bench/memory
  build/bin/bench-memory "$@"
}

# objects FLAGS: many certificates, in an etcd and an API server of its own.
objects() {
  hack/cluster/node build
  KG_NODE_BIN=$(hack/cluster/node bin)
  export KG_NODE_BIN
  CGO_ENABLED=0 go build -trimpath -o build/bin/ ./cmd/operator ./cmd/kubectl-gossip
  go build -o build/bin/bench-objects ./hack/bench/objects
  exec build/bin/bench-objects "$@"
}

# recommender FLAGS: predictions and recommendations against measurements (root).
recommender() {
  mkdir -p build/bin
  CGO_ENABLED=0 go build -o build/bin/bench-recommender ./hack/bench/recommender
  exec build/bin/bench-recommender "$@"
}

# cost FLAGS: what the observer and its alternatives cost (root).
cost() {
  # What it measures besides; what cannot be installed is left out, and said so.
  need cc=gcc /usr/include/stdio.h=libc6-dev runc=runc
  for tool in bpftrace=bpftrace strace=strace perf=linux-perf; do
    (need "$tool") || say "without ${tool%%=*}"
  done
  CGO_ENABLED=0 go build -trimpath -o build/bin/ ./cmd/kernel-observer
  CGO_ENABLED=0 go build -o build/bin/bench-cost ./hack/bench/cost
  exec build/bin/bench-cost "$@"
}

measurement=${1:-}
shift || true
case $measurement in
  storm | births | memory)
    choose_cluster
    export KUBECONFIG
    ;;
  objects | recommender | cost) ;;
  *)
    sed -n '3,5s/^# //p' "$0" >&2
    exit 2
    ;;
esac
cd "$TOP"
"$measurement" "$@"
