#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the bpf stage needs beside Go: strace, the other witness, and a JDK, whose test
# is left out where it is not to be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=hack/tools/say.sh
. hack/tools/say.sh
# shellcheck source=hack/tools/debian.sh
. hack/tools/debian.sh
need strace=strace
(need javac=default-jdk-headless) || say "no JDK here: the test of a JVM's threads will be skipped"
