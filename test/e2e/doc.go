// SPDX-License-Identifier: Apache-2.0

// Package e2e holds the tests of both components as users deploy them, on a
// real node: what the resources say is compared with what the kernel says
// through other doors (tracefs, cpu.stat, /proc, the containers' own clocks).
//
// The tests skip unless KG_TEST_STAGE=e2e; make test-e2e brings up a node where
// there is none, deploys, and runs them. The comparisons with the kernel need
// root, and the node to be this machine.
package e2e
