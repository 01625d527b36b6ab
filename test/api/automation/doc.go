// SPDX-License-Identifier: Apache-2.0

// Package automation holds the tests of the operator's automation. They have a
// control plane of their own, because two operators, of which one resizes,
// must not work on the same whispers.
package automation
