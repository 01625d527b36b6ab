#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every linter over the whole tree; all of them run, then one answer is given.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=say.sh
. hack/tools/say.sh
# shellcheck source=debian.sh
. hack/tools/debian.sh

GOLANGCI_VERSION=v2.15.0
TOOLS=${XDG_CACHE_HOME:-$HOME/.cache}/kernel-gossip/tools/golangci-lint-$GOLANGCI_VERSION-$(go env GOVERSION)
MODULES=(. hack/images hack/cluster/build/forward)

build_golangci() {
  GOBIN=$TOOLS GOFLAGS='' CGO_ENABLED=0 go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$GOLANGCI_VERSION" >"$TOOLS.log" 2>&1 ||
    { tail -n 5 "$TOOLS.log" >&2; return 1; }
}

# Each prints what it finds and returns an error if that is anything.
golangci() { _in_modules "$TOOLS/golangci-lint" run --config "$PWD/.golangci.yaml" ./...; }
vet() { _in_modules go vet ./...; }
gofmt_clean() { _nothing "$(_files '*.go' | xargs -0r gofmt -l)"; }
bpf_formatted() { _files 'bpf/*.c' 'bpf/*.h' ':!bpf/vmlinux*.h' | xargs -0r clang-format --dry-run -Werror; }
shell_clean() { _files '*.sh' .ci/run hack/cluster/node | xargs -0r shellcheck -x -P SCRIPTDIR -P "$PWD"; }

_in_modules() {
  local module
  for module in "${MODULES[@]}"; do
    (cd "$module" && GOWORK=off "$@") || return 1
  done
}
_files() { # a deleted file is still in the index
  git ls-files --cached --others --exclude-standard --deduplicate -z -- "$@" |
    while IFS= read -r -d '' file; do [[ ! -f $file ]] || printf '%s\0' "$file"; done
}
_nothing() { [[ -z $1 ]] || { printf 'not formatted:\n%s\n' "$1"; return 1; }; }

need clang-format=clang-format shellcheck=shellcheck
if [[ ! -x $TOOLS/golangci-lint ]]; then
  mkdir -p "$TOOLS"
  timed "building golangci-lint $GOLANGCI_VERSION (minutes, the first time)" build_golangci
fi

failed=()
for check in gofmt_clean vet golangci bpf_formatted shell_clean; do
  say "lint: $check"
  "$check" || failed+=("$check")
done
((${#failed[@]} == 0)) || die "lint found something: ${failed[*]}"
say "lint found nothing"
