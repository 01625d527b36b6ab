#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the browser stage needs beside Go: Chromium, and a font of fixed width, without
# which it draws no letters.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=hack/tools/say.sh
. hack/tools/say.sh
# shellcheck source=hack/tools/debian.sh
. hack/tools/debian.sh
need chromium=chromium /usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf=fonts-dejavu-core
