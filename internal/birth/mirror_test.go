// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

func mirror(ready bool) Pod {
	p := running(ready)
	p.Mirror = true
	return p
}

// deleteMirror is what the API server tells when somebody deletes a mirror.
func deleteMirror(b *Book, at uint64) {
	p := mirror(false)
	p.Deleted = true
	b.Tell(p, at)
	b.Gone(uid, at+ms)
}

// The mirror of a static pod is an object that stands for it. Whoever deletes it ends
// nothing: the kubelet makes another, and the pod is born meanwhile.
func TestAMirrorsDeletionEndsNoBirth(t *testing.T) {
	b := newTestBook(false)
	b.Tell(mirror(false), 1)
	begin(b, sec)
	deleteMirror(b, 2*sec)
	if due := b.Due(10 * sec); len(due) != 0 {
		t.Fatalf("due: %v", due)
	}
	b.Tell(mirror(false), 11*sec)
	b.Tell(mirror(true), 12*sec)
	s := mustClose(t, b, 13*sec)
	if s.Outcome != v1alpha1.OutcomeReady || s.Failure != nil || s.Milestones.Ready == nil || s.Milestones.Ready.OffsetMicroseconds != 11_999_999 {
		t.Errorf("%s, %+v, %+v", s.Outcome, s.Failure, s.Milestones.Ready)
	}
}

// A static pod ends with its file: its cgroup goes, and its mirror, in any order.
func TestAStaticPodThatEndsIsDeleted(t *testing.T) {
	for name, end := range map[string]func(b *Book){
		"the mirror first": func(b *Book) { deleteMirror(b, 2*sec); b.CgroupGone(uid, 3*sec) },
		"the cgroup first": func(b *Book) { b.CgroupGone(uid, 2*sec); deleteMirror(b, 3*sec) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newTestBook(false)
			b.Tell(mirror(false), 1)
			begin(b, sec)
			end(b)
			if due := b.Due(3*sec + ms); len(due) != 0 {
				t.Errorf("it has not settled: %v", due)
			}
			s := mustClose(t, b, 6*sec)
			if s.Failure == nil || !strings.HasPrefix(s.Failure.Message, "the pod was deleted before it was Ready") {
				t.Errorf("%s, %+v", s.Outcome, s.Failure)
			}
			if _, known := b.Pod(uid); known {
				t.Error("it is not forgotten")
			}
		})
	}
}

// A birth that ends while there is no mirror leaves nothing behind, unless one comes.
func TestAStaticPodWithoutItsMirrorIsForgotten(t *testing.T) {
	b := newTestBook(false)
	b.Tell(mirror(false), 1)
	begin(b, sec)
	deleteMirror(b, 2*sec)
	end := 3*sec + uint64(b.config.Timeout)
	mustClose(t, b, end)
	b.Due(end + 2*heardLateBy)
	if _, known := b.Pod(uid); known {
		t.Error("it is not forgotten")
	}
}
