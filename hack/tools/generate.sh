#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Regenerates every generated file of the tree that this script lies in. Only
# those who change bpf/ or api/ need it: the results are committed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=say.sh
. hack/tools/say.sh
# shellcheck source=debian.sh
. hack/tools/debian.sh

need clang=clang clang-format=clang-format llvm-strip=llvm /usr/include/bpf/bpf_helpers.h=libbpf-dev

format_bpf() { find bpf -name '*.[ch]' ! -name 'vmlinux*.h' -exec clang-format -i {} +; }

timed "formatting bpf/" format_bpf
timed "resources (deep copies and CRDs)" hack/tools/crds.sh
timed "BPF objects" go generate ./...
