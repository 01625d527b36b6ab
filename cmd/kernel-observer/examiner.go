// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/doctor"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// lookAgain is how long it holds what lives in the cgroups: a walk through them
// costs some milliseconds on a full node, and somebody may ask often.
const lookAgain = 30 * time.Second

// examiner reports of the observer that it runs in.
type examiner struct {
	node    string
	without []string
	since   time.Time
	facts   doctor.Facts // they do not change while the observer runs
	plan    func() hooks.Plan
	walk    func(visit func(id, pointer uint64, path string)) error
	log     *slog.Logger

	mu          sync.Mutex
	inhabitants doctor.Inhabitants
	looked      time.Time
	failing     bool // the last walk did not come to its end
}

// newExaminer gathers what does not change.
func newExaminer(o *options, plan func() hooks.Plan, walk func(func(id, pointer uint64, path string)) error, log *slog.Logger) *examiner {
	return &examiner{
		node: o.nodeName, without: withoutNames(o.taken), since: time.Now().UTC().Truncate(time.Second),
		facts: machine(o).Gather(), plan: plan, walk: walk, log: log,
	}
}

// report is the plan that is in force and what was lost so far.
func (x *examiner) report(cgroups int, lost map[string]uint64) *doctor.Report {
	r := &doctor.Report{
		Node: x.node, Time: time.Now().UTC().Truncate(time.Second), Facts: x.facts, Without: x.without, Hooks: x.plan(),
		Observer: &doctor.Observer{Version: version(), Since: x.since, Cgroups: cgroups, Lost: lost},
	}
	x.look(&r.Facts)
	r.Diagnose()
	return r
}

// look tells who lives in the cgroups.
func (x *examiner) look(f *doctor.Facts) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if time.Since(x.looked) >= lookAgain {
		var now doctor.Inhabitants
		err := x.walk(func(_, _ uint64, path string) { now.Add(path) })
		// What a walk saw before it failed holds, and the next is not made any sooner.
		x.inhabitants, x.looked = now, time.Now()
		if err != nil && !x.failing {
			x.log.Warn("cannot see all cgroups for the doctor's report", "error", err)
		}
		x.failing = err != nil
	}
	x.inhabitants.Tell(f)
}

// version of the module that this program was built from; empty where the build
// was not told.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "(devel)" {
		return ""
	}
	return info.Main.Version
}

// examine answers with the report.
func (s *state) examine(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	stats := s.stats
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(s.examiner.report(stats.Cgroups, lost(stats.Loss))) // whoever asked is gone
}
