// SPDX-License-Identifier: Apache-2.0

package prometheus

import "github.com/prometheus/client_golang/prometheus"

// descs are a collector's metrics by their names without the prefix.
type descs map[string]*prometheus.Desc

// newDescs describes metrics by their help, and the label of those that have one.
func newDescs(help, labels map[string]string) descs {
	all := descs{}
	for name, text := range help {
		var label []string
		if l := labels[name]; l != "" {
			label = []string{l}
		}
		all[name] = prometheus.NewDesc("kernel_gossip_observer_"+name, text, label, nil)
	}
	return all
}

// Describe implements prometheus.Collector.
func (d descs) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range d {
		out <- desc
	}
}
