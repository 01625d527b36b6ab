// SPDX-License-Identifier: Apache-2.0

package probe

// One source, three objects: typed tracepoints; raw and perf tracepoints; the latter
// with the perf buffer and helpers of Linux 5.4.
//go:generate go tool bpf2go -go-package probe -target amd64,arm64 -cc clang -cflags "-O2 -g -mcpu=v3 -Wall -Werror" -type kg_cgroup_event -type kg_open_event -type kg_file_event -type kg_path_event -type kg_stretch_event -type kg_value_event -type kg_header observer ../../bpf/observer.bpf.c -- -I../../bpf
//go:generate go tool bpf2go -go-package probe -target amd64,arm64 -cc clang -cflags "-O2 -g -mcpu=v3 -Wall -Werror -DKG_RAW" -no-global-types observerRaw ../../bpf/observer.bpf.c -- -I../../bpf
//go:generate go tool bpf2go -go-package probe -target amd64,arm64 -cc clang -cflags "-O2 -g -mcpu=v3 -Wall -Werror -DKG_OLD" -no-global-types observerOld ../../bpf/observer.bpf.c -- -I../../bpf
