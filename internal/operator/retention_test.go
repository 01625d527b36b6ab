// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

var clock = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)

var retention = Retention{CertificateAge: 24 * time.Hour, WhisperAge: 72 * time.Hour, MaxPerNamespace: 3}

func live(uids ...string) LivePods {
	pods := LivePods{}
	for _, uid := range uids {
		pods[types.UID(uid)] = struct{}{}
	}
	return pods
}

// bornAgo is the certificate of a pod whose UID is its name.
func bornAgo(name string, age time.Duration) v1alpha1.PodBirthCertificate {
	c := v1alpha1.PodBirthCertificate{}
	c.Name, c.Spec.PodRef = name, v1alpha1.PodReference{Name: name, UID: name}
	c.CreationTimestamp = metav1.NewTime(clock.Add(-age))
	return c
}

// seenAgo is a whisper that was last seen that long ago and, if ended, ended then.
func seenAgo(name, pod string, age time.Duration, ended bool) v1alpha1.KernelWhisper {
	w := v1alpha1.KernelWhisper{}
	w.Name, w.Spec.PodRef = name, v1alpha1.PodReference{Name: pod, UID: pod}
	w.Spec.LastSeenTime = metav1.NewMicroTime(clock.Add(-age))
	if ended {
		w.Spec.EndTime = w.Spec.LastSeenTime.DeepCopy()
	}
	return w
}

func names(doomed []Doomed) []string {
	out := []string{}
	for _, d := range doomed {
		out = append(out, d.Object.GetName()+" "+string(d.Reason))
	}
	return out
}

func TestDoomedCertificates(t *testing.T) {
	const old, young = 25 * time.Hour, 23 * time.Hour
	tests := []struct {
		name         string
		certificates []v1alpha1.PodBirthCertificate
		pods         LivePods
		want         []string
	}{
		{"none", nil, live(), []string{}},
		{"old, pod gone", []v1alpha1.PodBirthCertificate{bornAgo("a", old)}, live(), []string{"a age"}},
		{"old, pod alive", []v1alpha1.PodBirthCertificate{bornAgo("a", old)}, live("a"), []string{}},
		{"young, pod gone", []v1alpha1.PodBirthCertificate{bornAgo("a", young)}, live(), []string{}},
		{
			"too many: the oldest without a pod go", []v1alpha1.PodBirthCertificate{
				bornAgo("e", 1*time.Hour), bornAgo("d", 2*time.Hour), bornAgo("c", 3*time.Hour), bornAgo("b", 4*time.Hour), bornAgo("a", 5*time.Hour),
			}, live("a"), []string{"b count", "c count"},
		},
		{
			"too many, all alive: none goes", []v1alpha1.PodBirthCertificate{
				bornAgo("a", old), bornAgo("b", old), bornAgo("c", old), bornAgo("d", old),
			}, live("a", "b", "c", "d"), []string{},
		},
		{
			"age makes room first", []v1alpha1.PodBirthCertificate{
				bornAgo("a", old), bornAgo("b", young), bornAgo("c", young), bornAgo("d", young),
			}, live(), []string{"a age"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := names(retention.doomedCertificates(tt.certificates, tt.pods, clock)); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDoomedWhispers(t *testing.T) {
	const old, young = 73 * time.Hour, 71 * time.Hour
	tests := []struct {
		name     string
		whispers []v1alpha1.KernelWhisper
		pods     LivePods
		want     []string
	}{
		{"ended long ago, pod gone", []v1alpha1.KernelWhisper{seenAgo("a", "p", old, true)}, live(), []string{"a age"}},
		{"ended long ago, pod alive", []v1alpha1.KernelWhisper{seenAgo("a", "p", old, true)}, live("p"), []string{"a age"}},
		{"ended lately", []v1alpha1.KernelWhisper{seenAgo("a", "p", young, true)}, live(), []string{}},
		{"never ended, pod alive", []v1alpha1.KernelWhisper{seenAgo("a", "p", old, false)}, live("p"), []string{}},
		{"never ended, pod gone", []v1alpha1.KernelWhisper{seenAgo("a", "p", old, false)}, live(), []string{"a age"}},
		{
			"too many: active ones stay", []v1alpha1.KernelWhisper{
				seenAgo("a", "p", time.Hour, false), seenAgo("b", "p", 2*time.Hour, false), seenAgo("c", "p", 3*time.Hour, false),
				seenAgo("d", "p", time.Minute, true), seenAgo("e", "q", time.Minute, false),
			}, live("p"), []string{"d count", "e count"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := names(retention.doomedWhispers(tt.whispers, tt.pods, clock)); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Most namespaces cost no list of pods.
func TestNeedsPods(t *testing.T) {
	young := []v1alpha1.PodBirthCertificate{bornAgo("a", time.Hour)}
	if retention.needsPods(young, []v1alpha1.KernelWhisper{seenAgo("w", "a", time.Hour, false)}, clock) {
		t.Error("pods are listed although nothing is due")
	}
	var many []v1alpha1.PodBirthCertificate
	for i := range 4 {
		many = append(many, bornAgo(fmt.Sprint(i), time.Minute))
	}
	if !retention.needsPods(many, nil, clock) || !retention.needsPods([]v1alpha1.PodBirthCertificate{bornAgo("a", 25*time.Hour)}, nil, clock) {
		t.Error("pods are not listed although something is due")
	}
}

func TestOptionsAreChecked(t *testing.T) {
	if err := DefaultOptions().Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Options){
		"namespace is empty: leader election needs one for its Lease": func(o *Options) { o.Namespace = "" },
		"workers is 0: at least 1 is needed":                          func(o *Options) { o.Workers = 0 },
		"startup timeout is 0s: it has to be positive":                func(o *Options) { o.StartupTimeout = 0 },
		"certificate age is -1ns: it has to be positive":              func(o *Options) { o.Retention.CertificateAge = -1 },
		"whisper age is 0s: it has to be positive":                    func(o *Options) { o.Retention.WhisperAge = 0 },
		"maximum per namespace is 0: at least 1 is needed":            func(o *Options) { o.Retention.MaxPerNamespace = 0 },
		"retention interval is 0s: it has to be positive":             func(o *Options) { o.Retention.Interval = 0 },
	} {
		options := DefaultOptions()
		change(&options)
		if err := options.Validate(); err == nil || err.Error() != want {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
