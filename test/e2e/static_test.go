// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"encoding/json"
	"os/exec"
	"path"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
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

// TestStaticPod is born from a file on its node. What the API server shows is
// its mirror, with a UID of its own: the certificate bears the UID that the
// kubelet runs the pod by.
func TestStaticPod(t *testing.T) {
	f := cluster(t)
	directory := f.staticPodPath(t)
	if directory == "" {
		t.Skip("the node's kubelet has no directory for static pods: make node-down node-up")
	}
	t.Parallel()
	s := newScene(t, f)
	pod := s.podNamed("static", shell(idles))
	pod.APIVersion, pod.Kind, pod.Spec.NodeSelector = "v1", "Pod", nil
	manifest, err := yaml.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	file := path.Join(directory, s.namespace+".yaml")
	inNode(t, string(manifest), "tee", file)
	t.Cleanup(func() { inNode(t, "", "rm", "-f", file) })
	mirror := s.pods.await(t, "a mirror that is Ready", patience, func(seen sighting[*corev1.Pod]) bool {
		return strings.HasPrefix(seen.object.Name, "static-") && isReady(seen.object)
	}).object
	uid := mirror.Annotations["kubernetes.io/config.mirror"]
	if uid == "" || uid == string(mirror.UID) {
		t.Fatalf("the mirror's annotations are %v", mirror.Annotations)
	}
	c := s.certificates.await(t, "of the mirror's pod", patience, func(seen sighting[*v1alpha1.PodBirthCertificate]) bool {
		return seen.object.Spec.PodRef.Name == mirror.Name && !awaitsImages(seen.object)
	}).object
	if c.Spec.PodRef.UID != uid || len(s.certificateNames(mirror)) != 0 {
		t.Errorf("certificate %s is of UID %s, the static pod's is %s; the mirror's own: %v", c.Name, c.Spec.PodRef.UID, uid, s.certificateNames(mirror))
	}
	wantHeard(t, c, v1alpha1.OutcomeReady)
	wantContainers(t, c, v1alpha1.ContainerMilestones{Name: app, Type: v1alpha1.ContainerApp})
	wantWorkload(t, c, app, idlesProcesses, idlesExecs)
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
