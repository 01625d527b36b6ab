#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Hears two real workloads on this machine, without a cluster: see hack/demo/main.go.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v go >/dev/null || { echo "demo: Go is needed: install Go 1.26 or newer" >&2; exit 1; }
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
echo "building (the first time takes a few minutes) ..."
go build -o "$build/demo" ./hack/demo
"$build/demo" "$@"
