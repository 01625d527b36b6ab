// SPDX-License-Identifier: Apache-2.0

// Package operator brings verdicts to the API server: it watches certificates
// and whispers, has package verdict judge them, writes the result into status
// and nowhere else, and deletes what has outlived its use.
//
// It keeps no state of its own. A restart, or a second replica that takes over,
// starts from what the API server holds.
package operator

// FieldOwner is the name under which the operator applies status.
const FieldOwner = "kernel-gossip-operator"
