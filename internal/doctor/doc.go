// SPDX-License-Identifier: Apache-2.0

// Package doctor says what a node lets the observer hear, what is lost and what
// would mend it; and of a cluster, whether all of its nodes are heard. It is pure:
// the files of a machine come in as an fs.FS, what its kernel offers as a plan of
// hooks, what a cluster answers as plain values.
package doctor

// The documents' own version and kinds. They are answers and no resources of the
// API server.
const (
	APIVersion  = "doctor.kernel-gossip.io/v1alpha1"
	NodeKind    = "NodeReport"
	ClusterKind = "ClusterReport"
)

// StandsBy is what an observer answers instead of a report (503) while another one of
// its node listens.
const StandsBy = "another observer writes for this node"
