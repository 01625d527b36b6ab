// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// stormKind is one kind of pod in a storm, and what each birth of it takes.
type stormKind struct {
	name   string
	count  int
	change change
	// outcomes that it may have.
	outcomes []v1alpha1.Outcome
	// failure is the step that it fails at; empty for those that do not.
	failure string
	// hopeless is true for those that the kubelet tries for ever.
	hopeless bool
	// containers that are made, whether their entrypoints run or not.
	containers int64
	// workload is how many processes and execs each container's program has.
	workload map[string]workload
}

type workload struct{ processes, execs int64 }

var (
	onePerProgram = workload{processes: 1, execs: 1}
	anyNumber     = regexp.MustCompile(`[0-9]+`)
)

func stormKinds() []stormKind {
	ready, running, failed := v1alpha1.OutcomeReady, v1alpha1.OutcomeRunning, v1alpha1.OutcomeFailed
	return []stormKind{{
		name: "web", count: 24, change: func(*corev1.Pod) {},
		outcomes: []v1alpha1.Outcome{ready}, containers: 1,
		workload: map[string]workload{app: {processes: 2, execs: 1}},
	}, {
		name: "job", count: 24, change: once("true"),
		outcomes: []v1alpha1.Outcome{ready, running}, containers: 1,
		workload: map[string]workload{app: onePerProgram},
	}, {
		name: "chain", count: 16, change: chain,
		outcomes: []v1alpha1.Outcome{ready}, containers: 3,
		workload: map[string]workload{"first": onePerProgram, "second": {processes: 3, execs: 3}, app: onePerProgram},
	}, {
		name: "sidecar", count: 12, change: sidecar,
		outcomes: []v1alpha1.Outcome{ready}, containers: 2,
		workload: map[string]workload{"beside": onePerProgram, app: {processes: 1, execs: 2}},
	}, {
		name: "exit", count: 10, change: once("sh", "-c", "exit 3"), failure: "Entrypoint",
		outcomes: []v1alpha1.Outcome{failed}, containers: 1,
		workload: map[string]workload{app: onePerProgram},
	}, {
		name: "typo", count: 8, change: once("/no/such/program"), failure: "Entrypoint",
		outcomes: []v1alpha1.Outcome{failed}, containers: 1,
	}, {
		name: "imageless", count: 6, change: imageless, failure: "ImagePull", hopeless: true,
		outcomes: []v1alpha1.Outcome{failed},
	}}
}

// once runs a program that is not started again.
func once(args ...string) change {
	return func(p *corev1.Pod) {
		command(args...)(p)
		p.Spec.RestartPolicy = corev1.RestartPolicyNever
	}
}

func chain(p *corev1.Pod) {
	command("sleep", "3600")(p)
	first, second := p.Spec.Containers[0], p.Spec.Containers[0]
	first.Name, first.Command = "first", []string{"true"}
	second.Name, second.Command = "second", []string{"sh", "-c", "/bin/true; /bin/true; exit 0"}
	p.Spec.InitContainers = []corev1.Container{first, second}
}

func sidecar(p *corev1.Pod) {
	command("sh", "-c", "exec sleep 3600")(p)
	always := corev1.ContainerRestartPolicyAlways
	beside := p.Spec.Containers[0]
	beside.Name, beside.Command, beside.RestartPolicy = "beside", []string{"sleep", "3600"}, &always
	p.Spec.InitContainers = []corev1.Container{beside}
}

func imageless(p *corev1.Pod) {
	p.Spec.Containers[0].Image, p.Spec.Containers[0].ImagePullPolicy = "localhost/kernel-gossip/nothing:dev", corev1.PullNever
}

// stormOrder has the pods of all kinds in turn.
func stormOrder() []*stormKind {
	kinds := stormKinds()
	var order []*stormKind
	for n := 0; ; n++ {
		before := len(order)
		for i := range kinds {
			if n < kinds[i].count {
				order = append(order, &kinds[i])
			}
		}
		if len(order) == before {
			return order
		}
	}
}

// check fails unless a birth took exactly what its kind takes.
func (k *stormKind) check(t *testing.T, c *v1alpha1.PodBirthCertificate) {
	t.Helper()
	if !slices.Contains(k.outcomes, c.Spec.Outcome) || (k.failure != "") != (c.Spec.Failure != nil) {
		t.Errorf("certificate %s: outcome %s, failure %+v; want one of %v", c.Name, c.Spec.Outcome, c.Spec.Failure, k.outcomes)
	} else if k.failure != "" && c.Spec.Failure.Step != k.failure {
		t.Errorf("certificate %s: it failed at %s, want %s: %+v", c.Name, c.Spec.Failure.Step, k.failure, c.Spec.Failure)
	}
	want := []string{"CNI", "Runtime", "Runtime (sandbox)", "Workload (sandbox)"}
	for name, w := range k.workload {
		want = append(want, "Runtime "+name, "Workload "+name)
		if got := actorStats(c, v1alpha1.ActorWorkload, name); got.Processes != w.processes || got.Execs != w.execs {
			t.Errorf("certificate %s: container %s has %d processes and %d execs, want %d and %d", c.Name, name, got.Processes, got.Execs, w.processes, w.execs)
		}
	}
	if k.workload == nil && k.containers > 0 {
		want = append(want, "Runtime "+app)
	}
	slices.Sort(want)
	if got := actorNames(c); !slices.Equal(got, want) {
		t.Errorf("certificate %s: actors %q, want %q", c.Name, got, want)
	}
	if got := c.Spec.KernelStats.CgroupsCreated; got != 2+k.containers {
		t.Errorf("certificate %s: %d cgroups created, want the pod's, the sandbox's and %d", c.Name, got, k.containers)
	}
	for action, want := range map[string]int{"Scheduled": 1, "NetworkNamespaceCreated": 1, "EntrypointExec": 1 + len(k.workload)} {
		if got := len(details(c, action)); got != want {
			t.Errorf("certificate %s: %d times %s, want %d", c.Name, got, action, want)
		}
	}
}

// alike is what all births of one kind have in common: the system calls of
// programs that are no Go programs, execs, processes, namespaces. What a shim
// starts after a container has ended may or may not fall into the birth, so that
// the processes that are of no container are left out.
func (k *stormKind) alike(c *v1alpha1.PodBirthCertificate) map[string]string {
	all := map[string]string{"execs": actorExecs(c), "namespaces": "absent"}
	if made := c.Spec.KernelStats.NamespacesCreated; made != nil {
		all["namespaces"] = fmt.Sprintf("%+v", *made)
	}
	var processes, syscalls []string
	for _, a := range c.Spec.KernelStats.Actors {
		who := strings.TrimSpace(string(a.Actor) + " " + a.Container)
		if a.Actor != v1alpha1.ActorRuntime || a.Container != "" {
			processes = append(processes, fmt.Sprintf("%s: %d", who, a.Processes))
		}
		if a.Actor == v1alpha1.ActorWorkload && a.Container != v1alpha1.SandboxContainer {
			syscalls = append(syscalls, fmt.Sprintf("%s: %d", who, a.Syscalls))
		}
	}
	slices.Sort(processes)
	slices.Sort(syscalls)
	all["processes"], all["system calls"] = strings.Join(processes, ", "), strings.Join(syscalls, ", ")
	return all
}
