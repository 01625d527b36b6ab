// SPDX-License-Identifier: Apache-2.0

//go:build !bare

package bpf

// slack widens what two accounts may be apart in the kernel matrix, not here.
const slack = 1

// rounds is how much there is to count where the CPU is real: 25,000 system calls.
const rounds = 100
