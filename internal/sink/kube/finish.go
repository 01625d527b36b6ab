// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
)

// outlive is a context that is done by after ctx is.
func outlive(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		late := time.AfterFunc(by, cancel)
		context.AfterFunc(lasting, func() { late.Stop() })
	})
	return lasting, func() {
		stop()
		cancel()
	}
}

// finish tries once what waits, also what would have been tried again later only,
// until ctx is done. What is left then is lost, and counted and told as such.
func (s *Sink) finish(ctx context.Context) {
	tried := map[key]runtime.Object{}
	for batch := s.untried(tried); len(batch) > 0 && ctx.Err() == nil; batch = s.untried(tried) {
		work := make(chan key)
		var all sync.WaitGroup
		for range writers {
			all.Go(func() {
				for k := range work {
					s.writeNext(ctx, k)
				}
			})
		}
		for _, k := range batch {
			select {
			case work <- k:
			case <-ctx.Done():
			}
		}
		close(work)
		all.Wait()
	}
	s.drop()
}

// untried is what waits and is not in tried, and puts it there. Something newer may
// take an object's place meanwhile.
func (s *Sink) untried(tried map[key]runtime.Object) []key {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []key
	for k, object := range s.waiting {
		if tried[k] != object {
			tried[k] = object
			out = append(out, k)
		}
	}
	return out
}

// drop gives up what waits.
func (s *Sink) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.waiting)
	if n == 0 {
		return
	}
	s.stats.Dropped += uint64(n)
	clear(s.waiting)
	s.log.Error("ending before the API server took all objects: dropped the rest", "objects", n, "within", endTime, "error", s.last)
}
