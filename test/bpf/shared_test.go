// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"cmp"
	"context"
	"errors"
	"os"
	"sync"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// shared is the probe of all tests that need no own: the verifier takes half a
// second for it, and many times that on an emulated CPU.
var shared = &sharedProbe{}

type sharedProbe struct {
	options probe.Options

	once  sync.Once
	err   error
	probe *probe.Probe
	stop  context.CancelFunc
	read  chan error

	mu sync.Mutex
	to chan<- event.Event // nil: nobody listens
}

func (s *sharedProbe) open() error {
	s.once.Do(func() {
		s.options.Runtimes = []string{runtimeName}
		if s.probe, s.err = probe.Load(withTypes(s.options)); s.err != nil {
			return
		}
		ctx, cancel := context.WithCancel(context.Background())
		s.stop, s.read = cancel, make(chan error, 1)
		go func() { s.read <- s.probe.Read(ctx, s.hear) }()
	})
	return s.err
}

// withTypes names a file of types where the machine's kernel has none of its own
// (hack/kernels, KG_KERNEL_BTF).
func withTypes(o probe.Options) probe.Options {
	o.BTF = cmp.Or(o.BTF, os.Getenv("KG_TEST_BTF"))
	return o
}

// hear does not block: a test that does not take its events in time misses
// them, and the next one is not held up.
func (s *sharedProbe) hear(e event.Event) {
	if e.Kind == event.UpTo {
		return // it is not the kernel's
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.to <- e:
	default:
	}
}

func (s *sharedProbe) tell(to chan<- event.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to = to
}

func (s *sharedProbe) close() error {
	if s.stop == nil {
		return nil
	}
	s.stop()
	return errors.Join(<-s.read, s.probe.Close())
}
