// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/kernel-gossip/kernel-gossip/hack/bench/subject"
)

// podCounts that the observer at rest is measured with.
var podCounts = []int{10, 100, 250}

// idleness is what programs take while nothing happens, by the number of pods.
type idleness struct {
	Observer map[string]idleOf `json:"observer"`
	// Pollers by how often they read: each cpu.stat of the pods and their containers.
	Pollers map[string]map[string]idleOf `json:"pollers"`
}

type idleOf struct {
	// Cores are used, Resident and Working (BPF maps included) are MiB.
	Cores    spread `json:"cores"`
	Resident spread `json:"resident"`
	Working  spread `json:"working"`
	// Samples of limited containers that were read each second; 0 for pollers.
	Samples float64 `json:"samples,omitempty"`
}

func measureIdle(ctx context.Context, b *bench) (any, error) {
	out := idleness{Observer: map[string]idleOf{}, Pollers: map[string]map[string]idleOf{}}
	for _, pods := range podCounts {
		var uids []string
		for range pods {
			uid := b.uid()
			uids = append(uids, uid)
			if err := b.addPod(uid); err != nil {
				return nil, err
			}
		}
		key := fmt.Sprint(pods)
		var err error
		if out.Observer[key], err = b.idleObserver(ctx, uids); err != nil {
			return nil, fmt.Errorf("%d pods: %w", pods, err)
		}
		if pods == podCounts[len(podCounts)-1] {
			for _, every := range []string{"1s", "100ms"} {
				of, err := b.idlePoller(ctx, every)
				if err != nil {
					return nil, fmt.Errorf("a poller: %w", err)
				}
				out.Pollers[every] = map[string]idleOf{key: of}
			}
		}
		if err := b.clearPods(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// addPod makes a pod of one container: both are limited, its sandbox is not.
func (b *bench) addPod(uid string) error {
	pod := groupPods + "/burstable/pod" + uid
	id := strings.Repeat(strings.ReplaceAll(uid, "-", ""), 2)
	for _, path := range []string{pod, pod + "/" + strings.Repeat("5", 32) + id[:32], pod + "/" + id} {
		if err := b.groups.Mkdir(path); err != nil {
			return err
		}
	}
	return errors.Join(b.groups.Limit(pod), b.groups.Limit(pod+"/"+id))
}

// idleObserver measures the observer after it has heard what the pods are called.
func (b *bench) idleObserver(ctx context.Context, uids []string) (idleOf, error) {
	s, err := b.observe(ctx)
	if err != nil {
		return idleOf{}, err
	}
	for _, uid := range uids {
		plugin := exec.CommandContext(ctx, "/bin/true")
		id := strings.Repeat(strings.ReplaceAll(uid, "-", ""), 2)
		plugin.Env = []string{"CNI_COMMAND=ADD", "CNI_CONTAINERID=" + strings.Repeat("5", 32) + id[:32], "CNI_NETNS=/run/netns/none",
			"CNI_ARGS=K8S_POD_NAMESPACE=bench;K8S_POD_NAME=web;K8S_POD_UID=" + uid}
		if err := plugin.Run(); err != nil {
			return idleOf{}, errors.Join(fmt.Errorf("name a pod: %w", err), s.End())
		}
	}
	if err := b.atRest(ctx, s); err != nil {
		return idleOf{}, errors.Join(err, s.End())
	}
	before, _ := s.Metric("kernel_gossip_observer_samples_total")
	began := time.Now()
	of, err := b.idle(ctx, s, "observer")
	after, _ := s.Metric("kernel_gossip_observer_samples_total")
	of.Samples = (after - before) / time.Since(began).Seconds()
	return of, errors.Join(err, s.End())
}

// atRest waits until the births that the names of the pods looked like are over.
func (b *bench) atRest(ctx context.Context, s *subject.Subject) error {
	for deadline := time.Now().Add(3 * time.Minute); ; {
		text, err := s.Get("/metrics")
		if err != nil {
			return err
		}
		armed, okA := subject.Sum(text, "kernel_gossip_observer_syscalls_heard")
		open, okB := subject.Sum(text, "kernel_gossip_observer_births_open")
		if okA && okB && armed == 0 && open == 0 {
			return s.Wait(ctx, 2*time.Second)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the observer does not come to rest: %v births, %v", open, armed)
		}
		if err := s.Wait(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
}

func (b *bench) idle(ctx context.Context, s *subject.Subject, path string) (idleOf, error) {
	var cores, resident, working []float64
	for i := range b.scale.idles {
		b.progress("%s at rest, %d of %d", path, i+1, b.scale.idles)
		began := time.Now()
		before, err := b.groups.CPU(path)
		if err != nil {
			return idleOf{}, err
		}
		if err := s.Wait(ctx, b.scale.idle); err != nil {
			return idleOf{}, err
		}
		after, err := b.groups.CPU(path)
		if err != nil {
			return idleOf{}, err
		}
		cores = append(cores, float64(after-before)/float64(time.Since(began)))
		rss, err := s.Resident()
		if err != nil {
			return idleOf{}, err
		}
		set, err := b.groups.WorkingSet(path)
		if err != nil {
			return idleOf{}, err
		}
		resident, working = append(resident, float64(rss)/(1<<20)), append(working, float64(set)/(1<<20))
	}
	return idleOf{Cores: spreadOf(cores), Resident: spreadOf(resident), Working: spreadOf(working)}, nil
}

func (b *bench) idlePoller(ctx context.Context, every string) (idleOf, error) {
	self, err := os.Executable()
	if err != nil {
		return idleOf{}, err
	}
	s, err := subject.Start(b.groups, groupRival, exec.Command(self, "poll", b.groups.Dir(groupPods), every))
	if err != nil {
		return idleOf{}, err
	}
	if err := s.Wait(ctx, 2*time.Second); err != nil {
		return idleOf{}, err
	}
	of, err := b.idle(ctx, s, groupRival)
	_ = s.End() // by a signal, as told
	return of, err
}

// runPoller reads cpu.stat of all cgroups below a folder, over and over: about the
// cheapest that one can write.
func runPoller(below, every string) error {
	interval, err := time.ParseDuration(every)
	if err != nil {
		return err
	}
	var files []string
	_ = filepath.WalkDir(below, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() == "cpu.stat" {
			files = append(files, path)
		}
		return nil
	})
	throttled, buffer := map[string]string{}, make([]byte, 4096)
	for range time.Tick(interval) {
		for _, path := range files {
			f, err := os.Open(path)
			if err != nil {
				continue
			}
			n, _ := f.Read(buffer)
			_ = f.Close()
			_, rest, _ := strings.Cut(string(buffer[:n]), "nr_throttled ")
			now, _, _ := strings.Cut(rest, "\n")
			if now != throttled[path] {
				throttled[path] = now
			}
		}
	}
	return nil
}
