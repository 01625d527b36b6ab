// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"encoding/json"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// nodeScript brings the one-node cluster up, and enters it.
const nodeScript = "../../hack/cluster/node"

// staticPodPath is where the node's kubelet looks for static pods, or empty.
func (f *fixture) staticPodPath(t *testing.T) string {
	t.Helper()
	raw, err := f.kube.CoreV1().RESTClient().Get().AbsPath("/api/v1/nodes", f.local(t).name, "proxy/configz").Do(t.Context()).Raw()
	if err != nil {
		t.Fatalf("read the kubelet's configuration: %v", err)
	}
	var config struct {
		Kubelet struct {
			StaticPodPath string `json:"staticPodPath"`
		} `json:"kubeletconfig"`
	}
	if err := json.Unmarshal(raw, &config); err != nil {
		t.Fatalf("read the kubelet's configuration: %v", err)
	}
	return config.Kubelet.StaticPodPath
}

// staticPod is one that is born from a file on its node.
type staticPod struct {
	*scene
	name, file string
}

// static writes the file of a static pod, or skips the test where the node's kubelet
// looks for none.
func (s *scene) static(name string, changes ...change) *staticPod {
	s.t.Helper()
	directory := s.f.staticPodPath(s.t)
	if directory == "" {
		s.t.Skip("the node's kubelet has no directory for static pods: make node-down node-up")
	}
	p := &staticPod{s, name, path.Join(directory, s.namespace+"-"+name+".yaml")}
	s.t.Cleanup(func() { inNode(s.t, "", "rm", "-f", p.file) })
	p.write(changes...)
	return p
}

// write makes the file anew. The kubelet takes another content for another pod.
func (p *staticPod) write(changes ...change) {
	p.t.Helper()
	pod := p.podNamed(p.name, changes...)
	pod.APIVersion, pod.Kind, pod.Spec.NodeSelector = "v1", "Pod", nil
	manifest, err := yaml.Marshal(pod)
	if err != nil {
		p.t.Fatal(err)
	}
	// Renamed into place: of a half of it the kubelet would make a pod of its own. It
	// looks at no file whose name begins with a dot.
	inNode(p.t, string(manifest), "sh", "-c", `cat >"$1" && mv "$1" "$2"`, "sh", path.Join(path.Dir(p.file), "."+path.Base(p.file)), p.file)
}

// mirror waits for a mirror of the pod, other than those, that passes.
func (p *staticPod) mirror(what string, pass func(*corev1.Pod) bool, others ...*corev1.Pod) *corev1.Pod {
	p.t.Helper()
	return p.pods.await(p.t, "a mirror of "+p.name+" "+what, patience, func(seen sighting[*corev1.Pod]) bool {
		o := seen.object
		another := !slices.ContainsFunc(others, func(m *corev1.Pod) bool { return m.UID == o.UID })
		return another && !seen.gone && o.DeletionTimestamp == nil && strings.HasPrefix(o.Name, p.name+"-") && pass(o)
	}).object
}

// standsFor is the pod that a mirror stands for: certificates bear its UID.
func standsFor(t *testing.T, mirror *corev1.Pod) *corev1.Pod {
	t.Helper()
	uid := mirror.Annotations[corev1.MirrorPodAnnotationKey]
	if uid == "" || uid == string(mirror.UID) {
		t.Fatalf("the mirror's annotations are %v", mirror.Annotations)
	}
	pod := mirror.DeepCopy()
	pod.UID = types.UID(uid)
	return pod
}

// wantNoneOf fails if a mirror was given a certificate of its own.
func (p *staticPod) wantNoneOf(mirrors ...*corev1.Pod) {
	p.t.Helper()
	for _, m := range mirrors {
		if names := p.certificateNames(m); len(names) > 0 {
			p.t.Errorf("the mirror %s has certificates %v of its own", m.UID, names)
		}
	}
}

// inside is a file of the pod's container by its path on this machine: nobody needs a
// mirror to reach it.
func (p *staticPod) inside(pod *corev1.Pod, file string) string {
	p.t.Helper()
	node := p.f.local(p.t)
	pids := node.processes(p.t, node.container(p.t, string(pod.UID), containerID(pod)))
	if len(pids) == 0 {
		p.t.Fatalf("pod %s has no process", p.name)
	}
	return procFile(pids[0], "root"+file)
}

// runs is true of a pod whose only container was started and has not ended.
func runs(p *corev1.Pod) bool {
	statuses := p.Status.ContainerStatuses
	return len(statuses) == 1 && statuses[0].State.Running != nil
}

// TestStaticPod is born from a file on its node. What the API server shows is its
// mirror, with a UID of its own: the certificate bears the UID that the kubelet runs
// the pod by.
func TestStaticPod(t *testing.T) {
	f := cluster(t)
	f.local(t)
	t.Parallel()
	s := newScene(t, f)
	p := s.static("static", shell(idles))
	mirror := p.mirror("that is Ready", isReady)
	c := s.bornReady(standsFor(t, mirror))
	wantContainers(t, c, v1alpha1.ContainerMilestones{Name: app, Type: v1alpha1.ContainerApp})
	wantWorkload(t, c, app, idlesProcesses, idlesExecs)
	p.wantNoneOf(mirror)
}

// inNode runs a command where the node is.
func inNode(t *testing.T, input string, args ...string) {
	t.Helper()
	command := exec.Command(nodeScript, append([]string{"enter"}, args...)...) //nolint:noctx // also after the test's end
	command.Stdin = strings.NewReader(input)
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%s enter %q: %v: %s", nodeScript, args, err, out)
	}
}

// needsGatekeeper skips a test where no plugin refuses the network to pods whose names
// begin with cni-fails-.
func needsGatekeeper(t *testing.T) {
	t.Helper()
	if exec.CommandContext(t.Context(), nodeScript, "enter", "test", "-x", "/opt/cni/bin/gatekeeper").Run() != nil {
		t.Skip("the node was brought up before its CNI chain had the gatekeeper that this needs, and nothing else covers: make node-down node-up")
	}
}

// TestNetworkThatIsRefused has a CNI plugin fail, the first of the chain.
func TestNetworkThatIsRefused(t *testing.T) {
	f := cluster(t)
	f.local(t)
	needsGatekeeper(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("cni-fails-here", shell(idles))
	want := ending{
		step: "Network", actor: v1alpha1.ActorCNI, file: "gatekeeper", exitCode: code(1), reason: "FailedCreatePodSandBox",
		message: "this pod is not let in", attempts: 1, insight: []string{"gatekeeper", "network", "this pod is not let in"},
	}
	s.fails(pod, want)
	want.attempts = 2
	s.fails(pod, want)
	s.ends(pod, want)
}
