// Apart from the project's module, so that the cluster builds whatever state that is in.
module github.com/kernel-gossip/kernel-gossip/hack/cluster/build/forward

go 1.26.0

require golang.org/x/sys v0.49.0
