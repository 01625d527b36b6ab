// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// TestWhatIsTold looks at what kubectl get shows of a throttled pod, and that
// nothing of what the pod was told in secret is in it.
func TestWhatIsTold(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	inArgs, inEnv := "argument-"+rand.String(16), "variable-"+rand.String(16)
	pod := s.create("discreet", cpuLimit("100m"), func(p *corev1.Pod) {
		c := &p.Spec.Containers[0]
		c.Image, c.Command = busyboxImage, []string{"sh", "-c", burns, inArgs}
		c.Env = []corev1.EnvVar{{Name: "PASSWORD", Value: inEnv}}
	})
	s.certificate(pod)
	s.whisper(pod, "judged", patience, judged)
	judgedCertificate := func(seen sighting[*v1alpha1.PodBirthCertificate]) bool {
		return seen.object.Status.ObservedGeneration == seen.object.Generation
	}
	s.certificates.await(t, "judged", patience, judgedCertificate)

	t.Run("columns of kernelwhispers", func(t *testing.T) {
		wantColumns(t, f, s.namespace, "kernelwhispers", map[string]string{
			"Name": "", "Pod": "discreet", "Container": app, "Reason": "CPUThrottling", "Throttled %": "",
			"Reported %": "", "Severity": "", "Active": "True", "Age": "", "Evidence": "", "Recommendation": "",
		})
	})
	t.Run("columns of podbirthcertificates", func(t *testing.T) {
		wantColumns(t, f, s.namespace, "podbirthcertificates", map[string]string{
			"Name": "", "Pod": "discreet", "Outcome": "Ready", "Syscalls": "", "Duration": "", "Coverage": "100.0", "Age": "", "Insight": "",
		})
	})
	t.Run("short names and category", func(t *testing.T) {
		for _, name := range []string{"kw", "pbc", "gossip"} {
			if out := s.kubectl("get", name); !strings.Contains(out, "discreet") || !strings.Contains(out, "AGE") {
				t.Errorf("kubectl get %s shows: %s", name, out)
			}
		}
	})
	t.Run("no secrets", func(t *testing.T) {
		told := map[string]string{"the observer's log": observerLog(t, f)}
		for _, seen := range s.certificates.sightings(func(sighting[*v1alpha1.PodBirthCertificate]) bool { return true }) {
			told["certificate "+seen.object.Name] += asJSON(t, seen.object)
		}
		for _, seen := range s.told(pod) {
			told["whisper "+seen.object.Name] += asJSON(t, seen.object)
		}
		for what, text := range told {
			if text == "" || strings.Contains(text, inArgs) || strings.Contains(text, inEnv) {
				t.Errorf("%s is empty or tells a secret: %s", what, text)
			}
		}
	})
}

// wantColumns asks the API server for what kubectl get prints: one row, where
// each of these columns has the given value, or any.
func wantColumns(t *testing.T, f *fixture, namespace, plural string, want map[string]string) {
	t.Helper()
	raw, err := f.kube.Discovery().RESTClient().Get().
		AbsPath("/apis", v1alpha1.GroupVersion.Group, v1alpha1.GroupVersion.Version, "namespaces", namespace, plural).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").Do(t.Context()).Raw()
	if err != nil {
		t.Fatal(err)
	}
	table := &metav1.Table{}
	if err := json.Unmarshal(raw, table); err != nil {
		t.Fatal(err)
	}
	if len(table.Rows) != 1 {
		t.Fatalf("%d rows, want 1", len(table.Rows))
	}
	cells := map[string]string{}
	for i, c := range table.ColumnDefinitions {
		if cell := table.Rows[0].Cells[i]; cell != nil {
			cells[c.Name] = fmt.Sprint(cell)
		}
	}
	for column, value := range want {
		if got := cells[column]; got == "" || value != "" && got != value {
			t.Errorf("column %s shows %q, want %q", column, got, value)
		}
	}
}

func asJSON(t *testing.T, object any) string {
	t.Helper()
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func observerLog(t *testing.T, f *fixture) string {
	t.Helper()
	p := f.component(t.Context(), t, "kernel-observer")
	if p == nil {
		t.Fatal("no kernel-observer is ready")
	}
	raw, err := f.kube.CoreV1().Pods(installed).GetLogs(p.Name, &corev1.PodLogOptions{}).Do(t.Context()).Raw()
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
