// SPDX-License-Identifier: Apache-2.0

//go:build tools

// Package metricsserver pins the metrics-server of the one-node cluster. It is
// never compiled: it only keeps its module in go.mod.
package metricsserver

import _ "sigs.k8s.io/metrics-server/cmd/metrics-server"
