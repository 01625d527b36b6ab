// SPDX-License-Identifier: Apache-2.0

// Package cost knows what the observer itself costs, and keeps it within a
// budget: it reads the CPU time and the memory of its own process, takes the run
// times of its BPF programs where the kernel counts them, and says what has to
// give way. Governor, average and account are pure; only process.go reads.
package cost

import (
	"io"
	"time"
)

// Part is what CPU time was spent on. The parts of Usage.Own add up to the
// process' own CPU time.
type Part string

// The parts. Births, LeanIns and Rest are told apart by what was under way, not by
// whose code ran: everything that is not charged by itself is one of them.
const (
	PartStart    Part = "start"    // until the first reading: loading and verifying the programs
	PartSampling Part = "sampling" // reading the bandwidth of containers
	PartReplay   Part = "replay"   // replaying what was heard of bursts
	PartBirths   Part = "births"   // everything else while system calls are heard
	PartLeanIns  Part = "lean_ins" // everything else while a container is listened to
	PartRest     Part = "rest"     // everything else
)

// Doing is what is under way.
type Doing struct{ Births, LeanIns bool }

func (d Doing) part() Part {
	switch {
	case d.Births:
		return PartBirths
	case d.LeanIns:
		return PartLeanIns
	}
	return PartRest
}

// Source is where the run times of BPF programs come from.
type Source string

// The sources.
const (
	SourceAlways  Source = "always"  // kernel.bpf_stats_enabled is on
	SourceSampled Source = "sampled" // counted in windows that the observer opens
	SourceNone    Source = "none"    // may do neither: there are no figures
)

// Program is what one BPF program has cost while it was counted.
type Program struct {
	Name string
	Time time.Duration
	Runs uint64
}

// Programs are the BPF programs of this process.
type Programs interface {
	// Read returns what each has cost since it was loaded, as far as it was counted,
	// and the memory (bytes) that the kernel says programs and maps take.
	Read() (programs []Program, memory uint64, err error)
	// Always is true while the kernel counts anyway.
	Always() bool
	// Count makes the kernel count until the closer is closed.
	Count() (io.Closer, error)
}

// Process is how much a process has used.
type Process struct {
	// CPU time, user and system, since it began.
	CPU time.Duration
	// Resident memory in bytes.
	Resident uint64
}

// BPF is what the programs have cost.
type BPF struct {
	Source Source
	// Programs by name, within the time that was watched.
	Programs map[string]Program
	// Watched is for how long their run times were counted.
	Watched time.Duration
	// Memory of programs and maps in bytes, 0 where it is not known.
	Memory uint64
}

// Usage is what the observer has cost so far.
type Usage struct {
	Own      map[Part]time.Duration
	Resident uint64
	BPF      BPF
	// Budget is the share of one core that it may cost on average, 0: there is none.
	Budget float64
	// Used is the share of one core that it has cost over the last minute, as the
	// budget counts it. Known after the first seconds.
	Used      float64
	UsedKnown bool
	// Balance is what may still be spent now; below 0 it is a debt.
	Balance time.Duration
	// Step that is in force, and how often each was taken, from a lower or a higher one.
	Step  Step
	Taken map[Step]uint64
}
