// SPDX-License-Identifier: Apache-2.0

// Package bpf tests the programs of bpf/ on the running kernel: what they say
// is held against strace, /proc and the cgroup file system.
package bpf
