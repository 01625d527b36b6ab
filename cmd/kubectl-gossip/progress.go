// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/view"
)

// progress tells of waiting that takes longer than a second.
type progress struct {
	out      io.Writer
	terminal bool // lines can be written over
	now      func() time.Time
}

// quiet is for how long waiting goes without saying.
const quiet = time.Second

func (g *gossip) progress() progress {
	_, terminal := sizeOf(g.ErrOut)
	return progress{g.ErrOut, terminal && g.getenv("TERM") != "dumb", g.now}
}

// await asks until it is done, there is an error, or the context ends: then the
// error is the context's cause.
func (p *progress) await(ctx context.Context, what string, interval time.Duration, ask func() (bool, error)) error {
	began, told := p.now(), false
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		done, err := ask()
		if ctx.Err() != nil {
			err = fmt.Errorf("%s: %w", what, context.Cause(ctx))
		}
		took := p.now().Sub(began)
		if done || err != nil {
			p.end(what, took, told, err)
			return err
		}
		if took >= quiet {
			p.tick(what, took, told)
			told = true
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

func (p *progress) tick(what string, took time.Duration, told bool) {
	switch {
	case p.terminal:
		p.print("\r\x1b[K%s ... %.0f s", what, took.Seconds())
	case !told:
		p.print("%s ...\n", what)
	}
}

func (p *progress) end(what string, took time.Duration, told bool, err error) {
	if told && p.terminal {
		p.print("\r\x1b[K")
	}
	if told && err == nil {
		p.print("%s: done after %.1f s\n", what, took.Seconds())
	}
}

// say writes a line of its own.
func (p *progress) say(line string) {
	if p.terminal {
		p.print("\r\x1b[K")
	}
	p.print("%s\n", view.Clean(line))
}

func (p *progress) print(format string, args ...any) {
	_, _ = fmt.Fprintf(p.out, format, args...) // progress is no result
}
