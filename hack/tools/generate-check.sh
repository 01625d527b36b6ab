#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fails when a committed generated file is not what its source gives. Works on a
# copy: uncommitted work stays as it is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=say.sh
. hack/tools/say.sh

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

take_copy() {
  git ls-files --cached --others --exclude-standard -z | while IFS= read -r -d '' file; do
    [[ ! -f $file ]] || printf '%s\0' "$file" # a deleted file is still in the index
  done | tar --null --files-from=- -cf - | tar -xf - -C "$copy"
}

timed "copying the tree" take_copy
cp -r "$copy" "$copy.before"
trap 'rm -rf "$copy" "$copy.before"' EXIT
"$copy/hack/tools/generate.sh"
if ! drift=$(diff -rq "$copy.before" "$copy"); then
  sed -e "s|$copy.before/|./|g" -e "s|$copy/|regenerated |g" <<<"$drift" >&2
  die "generated files are out of date: run make generate and commit the result"
fi
say "generated files are up to date"
