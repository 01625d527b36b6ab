#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the bpf stage needs beside Go: strace, the other witness.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=hack/tools/say.sh
. hack/tools/say.sh
# shellcheck source=hack/tools/debian.sh
. hack/tools/debian.sh
need strace=strace
