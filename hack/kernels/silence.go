// SPDX-License-Identifier: Apache-2.0

package kernels

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// silence is when a machine that says nothing is spoken of: a test's own patience is over by then.
const silence = 90 * time.Second

// watch tells which test a machine is in that has said nothing for long. What a machine says
// is told at its end, which one that hangs has not.
type watch struct {
	machine string
	after   time.Duration
	to      io.Writer

	mu    sync.Mutex // guards what follows
	timer *time.Timer
	test  string
	since time.Time
}

// begin waits for the first word; the machine is not up yet.
func (w *watch) begin() *watch {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since = time.Now()
	w.timer = time.AfterFunc(w.after, w.tell)
	return w
}

// heard notes a word of the test; of the machine itself, if it is empty.
func (w *watch) heard(test string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.test, w.since = test, time.Now()
	w.timer.Reset(w.after)
}

func (w *watch) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	in := w.test
	if in == "" {
		in = "no test"
	}
	_, _ = fmt.Fprintf(w.to, "%s: has said nothing for %.0f s, and is in %s\n", w.machine, time.Since(w.since).Seconds(), in)
	w.timer.Reset(w.after)
}

func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
}
