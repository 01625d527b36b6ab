// SPDX-License-Identifier: Apache-2.0

// Package api holds tests of the resources, the manifests and the operator
// against a real etcd and a real API server, which listen on loopback only.
//
// KG_TEST_STAGE=api says that the binaries are there, KG_NODE_BIN where
// (`make test-api` sets both); otherwise every test skips.
package api
