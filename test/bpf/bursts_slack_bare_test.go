// SPDX-License-Identifier: Apache-2.0

//go:build bare

package bpf

// slack widens what two accounts may be apart: an emulated CPU stands still in the
// midst of what it does, and Go's own threads take a good part of it.
const slack = 5

// rounds is how much an emulated CPU works under strace: 8,000 system calls.
const rounds = 30
