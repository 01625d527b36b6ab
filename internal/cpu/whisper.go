// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Name of an episode's whisper: pod and container, cut where they must be, and
// a hash of pod UID, container, reason and start.
func Name(c Container, reason v1alpha1.Reason, start time.Time) string {
	const nameMax, hashLen = 253, 8
	sum := sha256.Sum256([]byte(strings.Join([]string{
		c.PodUID, c.Name, string(reason), strconv.FormatInt(start.UnixMicro(), 10),
	}, "/")))
	name := c.Pod + "-" + c.Name
	if keep := nameMax - 1 - hashLen; len(name) > keep {
		name = name[:keep]
	}
	return strings.TrimRight(name, "-.") + "-" + hex.EncodeToString(sum[:])[:hashLen]
}

func newWhisper(c Config, of Container, name string) *v1alpha1.KernelWhisper {
	labels := map[string]string{v1alpha1.LabelPodUID: of.PodUID}
	if n := c.NodeName; n != "" && len(n) <= 63 {
		labels[v1alpha1.LabelNode] = n
	}
	return &v1alpha1.KernelWhisper{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "KernelWhisper"},
		ObjectMeta: metav1.ObjectMeta{Namespace: of.Namespace, Name: name, Labels: labels},
	}
}

// stamp writes whose the whisper is and when, and makes it fit.
func stamp(w *v1alpha1.KernelWhisper, c Config, of Container, start time.Time, lastSeen uint64) {
	w.Spec.PodRef = v1alpha1.PodReference{Name: of.Pod, UID: of.PodUID}
	w.Spec.NodeName = c.NodeName
	w.Spec.ContainerName = of.Name
	w.Spec.StartTime = metav1.NewMicroTime(start)
	// The start stays as it was told first. Where the wall clock was set back since,
	// the end is at least not before it.
	w.Spec.LastSeenTime = metav1.NewMicroTime(later(start, c.Wall(lastSeen)))
	w.Spec.Missing = c.missing()
	fit(w)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// sizeMax of a spec as JSON, in bytes. The rest up to 8 KiB is for the metadata,
// a change that may still be written into it, and its end.
const sizeMax = 8*1024 - 1800

// evidenceMax is how many pieces of evidence the schema takes.
const evidenceMax = 12

// fit shortens the paths of cgroups in the evidence from their front until the
// whisper has its size: their end tells the cgroup. Where that is not enough, or there
// are too many, the evidence of levels above the first is left out, the highest first.
func fit(w *v1alpha1.KernelWhisper) {
	fits := func() bool {
		raw, err := json.Marshal(w.Spec)
		return err == nil && len(raw) <= sizeMax
	}
	for len(w.Spec.Evidence) > evidenceMax && dropLevel(w) {
	}
	for _, keep := range []int{pathMax, 200, 120, 80, 40} {
		for i := range w.Spec.Evidence {
			w.Spec.Evidence[i].Source = shorten(w.Spec.Evidence[i].Source, keep)
		}
		if fits() {
			return
		}
	}
	for !fits() && dropLevel(w) {
	}
}

// dropLevel leaves out the evidence of the highest level, and says whether there was one
// above the first.
func dropLevel(w *v1alpha1.KernelWhisper) bool {
	// What each level begins with, and how many pieces it has: see evidence.
	const begins, perLevel = "cpu.stat nr_periods of ", 3
	levels, last := 0, 0
	for i, e := range w.Spec.Evidence {
		if strings.HasPrefix(e.Source, begins) {
			levels, last = levels+1, i
		}
	}
	if levels < 2 {
		return false
	}
	w.Spec.Evidence = slices.Delete(w.Spec.Evidence, last, last+perLevel)
	return true
}

// shorten cuts what stands after the last space, a path, from its front.
func shorten(source string, keep int) string {
	at := strings.LastIndexByte(source, ' ') + 1
	return source[:at] + PathEnd(source[at:], keep)
}

// PathEnd bounds a path to so many bytes and an ellipsis, from its front.
func PathEnd(p string, keep int) string {
	p = strings.TrimPrefix(p, "…")
	if len(p) > keep {
		return "…" + strings.ToValidUTF8(p[len(p)-keep:], "")
	}
	return p
}
