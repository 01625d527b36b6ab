// SPDX-License-Identifier: Apache-2.0

package bursts

//go:generate go tool bpf2go -go-package bursts -target amd64,arm64 -cc clang -cflags "-O2 -g -mcpu=v3 -Wall -Werror" -type kg_burst -type kg_thread bursts ../../../bpf/bursts.bpf.c -- -I../../../bpf
