#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Writes the deep copies of api/v1alpha1 and the CRDs in k8s/ from the Go types.
# The CRDs keep the number prefix by which `kubectl apply -f k8s/` orders them.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

go tool controller-gen object:headerFile=hack/tools/header.go.txt paths=./api/...
go tool controller-gen crd:headerFile=hack/tools/header.yaml.txt \
	paths=./api/... "output:crd:dir=$out"

for file in "$out"/kernel-gossip.io_*.yaml; do
	plural=${file##*/kernel-gossip.io_}
	target=k8s/10-crd-$plural
	install -m 0644 "$file" "$target"
	echo "wrote $target"
done
