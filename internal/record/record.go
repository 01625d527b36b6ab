// SPDX-License-Identifier: Apache-2.0

// Package record keeps all that the observer is told in a file of JSON lines,
// and plays it back: attribution, births and throttling can so be run again
// without a kernel, a cluster or privileges.
package record

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/birth"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
)

// entry is one line: one thing that was told, at the time of the event clock.
// Kernel pointers are not recorded.
type entry struct {
	At uint64 `json:"at"`
	// Wall is in the first line: the wall time of At.
	Wall     *time.Time   `json:"wall,omitempty"`
	WithAPI  bool         `json:"withAPI,omitempty"`
	LeansIn  bool         `json:"leansIn,omitempty"`
	Weights2 bool         `json:"weightsV2,omitempty"`
	Plan     hooks.Plan   `json:"plan,omitempty"`
	Cgroup   *known       `json:"cgroup,omitempty"`
	Event    *event.Event `json:"event,omitempty"`
	Pod      *birth.Pod   `json:"pod,omitempty"`
	Gone     string       `json:"gone,omitempty"`
	Said     *said        `json:"said,omitempty"`
	Counts   *counted     `json:"counts,omitempty"`
	Group    *event.Group `json:"group,omitempty"`
	Missing  uint64       `json:"missing,omitempty"` // a cgroup that could not be read
	Armed    uint64       `json:"armed,omitempty"`
	Disarmed bool         `json:"disarmed,omitempty"`
	Loss     *event.Loss  `json:"loss,omitempty"`
	Node     *cpu.Node    `json:"node,omitempty"`
	Heard    *cpu.Heard   `json:"heard,omitempty"`
}

// known is a cgroup that existed when the recording began.
type known struct {
	ID   uint64 `json:"id"`
	Path string `json:"path"`
}

// said is what the kubelet had said of a pod.
type said struct {
	UID     string         `json:"uid"`
	Remarks []birth.Remark `json:"remarks,omitempty"`
}

// counted are the counters of a session when they were read.
type counted struct {
	Session uint64              `json:"session"`
	Counts  event.SessionCounts `json:"counts"`
}

// Recorder writes a recording.
type Recorder struct {
	// WeightsV2 is kept for the replay, see observer.Config. It must be set before
	// Inputs is called.
	WeightsV2 bool
	// Plan is how the kernel is heard, for the replay; to be set before as well.
	Plan hooks.Plan

	mu     sync.Mutex
	file   *os.File
	buffer *bufio.Writer
	now    func() uint64
	failed error
}

// Create begins a recording; an existing file is not overwritten.
func Create(file string) (*Recorder, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create the recording: %w", err)
	}
	return &Recorder{file: f, buffer: bufio.NewWriter(f)}, nil
}

// Close ends the recording, with the first error that writing met.
func (r *Recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, err := range []error{r.buffer.Flush(), r.file.Close()} {
		if r.failed == nil {
			r.failed = err
		}
	}
	return r.failed
}

func (r *Recorder) write(e entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.At = r.now()
	raw, err := json.Marshal(e)
	if err == nil {
		_, err = r.buffer.Write(append(raw, '\n'))
	}
	if err != nil && r.failed == nil {
		r.failed = fmt.Errorf("write the recording: %w", err)
	}
}

// Inputs records what passes through the inputs. It must be called before the
// kernel that Kernel returns is used.
func (r *Recorder) Inputs(in observer.Inputs) observer.Inputs {
	out := in
	out.Read = func(ctx context.Context, hear func(event.Event)) error {
		return in.Read(ctx, func(e event.Event) {
			told := e
			told.Pointer = 0
			r.write(entry{Event: &told})
			hear(e)
		})
	}
	if in.Pods != nil {
		pods := make(chan observer.PodUpdate)
		out.Pods = pods
		go func() {
			for u := range in.Pods {
				switch {
				case u.Gone:
					r.write(entry{Gone: u.Pod.UID})
				case u.Said:
					r.write(entry{Said: &said{u.Pod.UID, u.Remarks}})
				default:
					r.write(entry{Pod: &u.Pod})
				}
				pods <- u
			}
		}()
	}
	r.leanIns(in, &out)
	r.now = in.Now
	now := time.Now()
	r.write(entry{Wall: &now, WithAPI: in.Pods != nil, LeansIn: in.LeanIn != nil, Weights2: r.WeightsV2, Plan: r.Plan})
	return out
}

// leanIns records what was heard of bursts, and how the node's CPUs were used.
func (r *Recorder) leanIns(in observer.Inputs, out *observer.Inputs) {
	if in.Heard != nil {
		heard := make(chan observer.Heard)
		out.Heard = heard
		go func() {
			for h := range in.Heard {
				r.write(entry{Heard: &h.Heard})
				heard <- h
			}
		}()
	}
	if in.Node != nil {
		out.Node = func() (cpu.Node, error) {
			n, err := in.Node()
			if err == nil {
				r.write(entry{Node: &n})
			}
			return n, err
		}
	}
}

// Kernel records what a kernel answers.
func (r *Recorder) Kernel(k observer.Kernel) observer.Kernel { return &recordingKernel{k, r} }

type recordingKernel struct {
	observer.Kernel
	recorder *Recorder
}

func (k *recordingKernel) Walk(visit func(id, pointer uint64, path string)) error {
	return k.Kernel.Walk(func(id, pointer uint64, path string) {
		k.recorder.write(entry{Cgroup: &known{id, path}})
		visit(id, pointer, path)
	})
}

func (k *recordingKernel) ReadGroup(id, pointer uint64) (event.Group, error) {
	g, err := k.Kernel.ReadGroup(id, pointer)
	k.read(id, &event.Reading{Group: g, Err: err})
	return g, err
}

// ReadGroups reads together what the kernel reads together.
func (k *recordingKernel) ReadGroups(of []event.CgroupRef, into []event.Reading) {
	observer.ReadGroups(k.Kernel, of, into)
	for i := range into {
		k.read(of[i].ID, &into[i])
	}
}

func (k *recordingKernel) read(id uint64, what *event.Reading) {
	if what.Err != nil {
		k.recorder.write(entry{Missing: id})
		return
	}
	k.recorder.write(entry{Group: &what.Group})
}

func (k *recordingKernel) Counts(session uint64) (event.SessionCounts, error) {
	c, err := k.Kernel.Counts(session)
	if err == nil {
		k.recorder.write(entry{Counts: &counted{session, c}})
	}
	return c, err
}

func (k *recordingKernel) Arm() (uint64, error) {
	at, err := k.Kernel.Arm()
	if err == nil {
		k.recorder.write(entry{Armed: at})
	}
	return at, err
}

func (k *recordingKernel) Disarm() error {
	k.recorder.write(entry{Disarmed: true})
	return k.Kernel.Disarm()
}

func (k *recordingKernel) Lost() (event.Loss, error) {
	l, err := k.Kernel.Lost()
	if err == nil && l.Total() > 0 {
		k.recorder.write(entry{Loss: &l})
	}
	return l, err
}
