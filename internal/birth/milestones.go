// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"strings"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

const containersMax = 16

func (w *writer) writeMilestones() {
	m := &w.spec.Milestones
	if t := w.scheduled(); t != 0 {
		m.Scheduled = w.at(t, v1alpha1.ClockWatch)
	}
	if !w.birth.midst {
		m.SandboxCgroupCreated = w.at(w.birth.began, v1alpha1.ClockKernel)
	}
	m.NetworkReady = w.networkReady()
	if w.seen.ready != 0 {
		m.Ready = w.at(w.seen.ready, w.seen.readyClock)
	}
	byName := map[string]*v1alpha1.ContainerMilestones{}
	var order []string
	for _, e := range w.birth.events {
		name := w.container(e.Who)
		if e.Kind == event.Mount {
			name = w.seen.names[e.Who.ContainerID] // the shim mounts for all containers
		}
		if name == "" {
			continue
		}
		if e.Who.Sandbox {
			if e.Kind == event.Exec && e.Workload && m.SandboxStarted == nil {
				m.SandboxStarted = w.at(e.Time, v1alpha1.ClockKernel)
			}
			continue
		}
		c := byName[name]
		if c == nil {
			c = &v1alpha1.ContainerMilestones{Name: name}
			byName[name] = c
			order = append(order, name)
		}
		w.noteMilestone(c, e.Event)
	}
	for _, name := range order {
		w.ran[name] = byName[name].EntrypointExec != nil
		if len(m.Containers) == containersMax {
			continue
		}
		w.noteFromAPI(byName[name])
		m.Containers = append(m.Containers, *byName[name])
	}
	if len(order) > containersMax {
		w.miss("more than %d containers: the milestones of the others are left out", containersMax)
	}
}

// noteFromAPI adds what only the API server knows of a container.
func (w *writer) noteFromAPI(c *v1alpha1.ContainerMilestones) {
	if spec, ok := w.seen.pod.container(c.Name); ok {
		c.Type = spec.kind()
	}
	if t := w.seen.started[c.Name]; t != 0 {
		c.Started = w.at(t, v1alpha1.ClockWatch)
	}
	if t := w.seen.readyAt[c.Name]; t != 0 && c.Type != v1alpha1.ContainerInit {
		c.Ready = w.at(t, v1alpha1.ClockWatch)
	}
	c.Image = w.seen.image(c.Name)
	if t := w.seen.imageTime(c.Name); !t.IsZero() {
		c.ImageReady = w.atWall(t)
	}
}

func (w *writer) noteMilestone(c *v1alpha1.ContainerMilestones, e event.Event) {
	note := func(m **v1alpha1.Milestone) {
		if *m == nil {
			*m = w.at(e.Time, v1alpha1.ClockKernel)
		}
	}
	switch {
	case e.Kind == event.CgroupMkdir:
		note(&c.Created)
	case e.Kind == event.Mount && strings.HasSuffix(e.Path, "/rootfs"):
		note(&c.RootMounted)
	case e.Kind == event.Seccomp:
		note(&c.SeccompApplied)
	case e.Kind == event.Linked && c.Linked == nil:
		note(&c.Linked)
		c.FilesOpenedBeforeMain = &e.Value
	case e.Workload:
		if m := w.ofWorkload(c, e); m != nil {
			note(m)
		}
	}
}

// ofWorkload is the milestone that a deed of the workload may be.
func (w *writer) ofWorkload(c *v1alpha1.ContainerMilestones, e event.Event) **v1alpha1.Milestone {
	switch e.Kind {
	case event.Exec:
		return &c.EntrypointExec
	case event.Listen:
		return &c.FirstListen
	case event.Accept:
		return &c.FirstAccept
	case event.Exit:
		if w.isEntrypoint(e) {
			return &c.Ended
		}
	}
	return nil
}

func (w *writer) isEntrypoint(e event.Event) bool {
	s := w.step(e.Session)
	return s != nil && s.entrypointPID == e.PID
}

func (w *writer) networkReady() *v1alpha1.Milestone {
	var last uint64
	for _, s := range w.steps {
		if s.role != event.RoleCNI {
			continue
		}
		if s.exited == 0 {
			return nil
		}
		last = max(last, s.exited)
	}
	if last == 0 {
		return nil
	}
	return w.at(last, v1alpha1.ClockKernel)
}
