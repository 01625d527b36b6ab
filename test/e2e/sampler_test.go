// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// samplingInterval is about the length of a quota's period.
const samplingInterval = 100 * time.Millisecond

// slack is by how much the times of two observers of one counter may differ.
const slack = 30 * time.Millisecond

// reading is what a cgroup's files said, some time between from and to.
type reading struct {
	from, to time.Time
	bandwidth
}

// sampler reads the CPU counters of a pod and its containers over and over,
// from the moment that their cgroups exist.
type sampler struct {
	node     *localNode
	uid      string
	mu       sync.Mutex
	readings map[string][]reading // by cgroup
}

func startSampler(t *testing.T, node *localNode, uid string) *sampler {
	t.Helper()
	s := &sampler{node: node, uid: uid, readings: map[string][]reading{}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return s
}

func (s *sampler) run(ctx context.Context) {
	ticks := time.NewTicker(samplingInterval)
	defer ticks.Stop()
	pod := ""
	for ctx.Err() == nil {
		if pod == "" {
			pod = s.node.podCgroup(s.uid)
		}
		if pod != "" {
			s.round(pod)
		}
		select {
		case <-ctx.Done():
		case <-ticks.C:
		}
	}
}

func (s *sampler) round(pod string) {
	cgroups := []string{pod}
	for _, name := range s.node.children(pod) {
		cgroups = append(cgroups, filepath.Join(pod, name))
	}
	for _, cgroup := range cgroups {
		from := time.Now()
		b, err := s.node.bandwidth(cgroup)
		if err != nil {
			continue // it has just gone
		}
		s.mu.Lock()
		s.readings[cgroup] = append(s.readings[cgroup], reading{from, time.Now(), b})
		s.mu.Unlock()
	}
}

// find returns the cgroup that a path ends in.
func (s *sampler) find(path string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var known []string
	for cgroup := range s.readings {
		known = append(known, cgroup)
		if strings.HasSuffix(path, filepath.Base(cgroup)) {
			return cgroup, nil
		}
	}
	return "", fmt.Errorf("%s is none of the sampled cgroups %q", path, known)
}

// around returns the readings just before and just after a moment. Before the
// first one the cgroup was new: all its counters were zero.
func (s *sampler) around(ctx context.Context, cgroup string, moment time.Time) (before, after reading, err error) {
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		s.mu.Lock()
		all := s.readings[cgroup]
		s.mu.Unlock()
		before = reading{}
		for _, r := range all {
			if r.to.Before(moment.Add(-slack)) {
				before = r
			}
			if r.from.After(moment.Add(slack)) {
				return before, r, nil
			}
		}
		select {
		case <-ctx.Done():
			return before, after, ctx.Err()
		case <-time.After(samplingInterval):
		}
	}
	return before, after, fmt.Errorf("no reading of %s after %s", cgroup, moment)
}

// lastThrottled is between which moments a cgroup's count of throttled periods
// was last seen to have grown.
func (s *sampler) lastThrottled() (after, by time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, all := range s.readings {
		for i := 1; i < len(all); i++ {
			if all[i].throttled > all[i-1].throttled && all[i].to.After(by) {
				after, by = all[i-1].from, all[i].to
			}
		}
	}
	return after, by
}

// total are the counters of a cgroup at its last reading.
func (s *sampler) total(cgroup string) reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.readings[cgroup]
	if len(all) == 0 {
		return reading{}
	}
	return all[len(all)-1]
}
