// SPDX-License-Identifier: Apache-2.0

//go:build !bare

package bpf

// slack widens what two accounts may be apart in the kernel matrix, not here.
const slack = 1
