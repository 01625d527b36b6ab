// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"strings"
	"testing"
)

func withRemarks() *Book {
	b := newTestBook(false)
	b.config.Remarks = true
	return b
}

var pulled = []Remark{{Reason: "Pulled", Container: "app", Message: `Successfully pulled image "x" in 1.5s (2s including waiting). Image size: 12 bytes.`}}

// The kubelet's event comes after the certificate: that is written at once, and
// again with the image.
func TestImagesThatAreToldLate(t *testing.T) {
	b := withRemarks()
	begin(b, sec)
	b.Tell(running(true), 2*sec)
	first := mustClose(t, b, 3*sec)
	if first.Complete || len(first.Coverage.Missing) != 1 || !strings.Contains(first.Coverage.Missing[0], "has not come yet") {
		t.Errorf("complete %v, %q", first.Complete, first.Coverage.Missing)
	}
	if b.Open() != 0 || len(b.Late(4*sec)) != 0 {
		t.Error("it is open, or finished before its image was told")
	}
	if asking := b.Asking(5 * sec); len(asking) != 1 || asking[0].UID != uid {
		t.Errorf("asking for %v", asking)
	}
	// What becomes of the pod meanwhile is not of its birth.
	fallen := running(false)
	fallen.Containers[0].Restarts = 3
	b.Tell(fallen, 5*sec)
	b.Said(uid, pulled)
	if late := b.Late(6 * sec); len(late) != 1 {
		t.Fatal("told, and not finished")
	}
	c, ok := b.Finish(uid)
	if !ok || !c.Spec.Complete || c.Spec.Outcome != first.Outcome || c.Spec.FailedAttempts != 0 || c.Spec.KernelStats.TotalSyscalls != first.KernelStats.TotalSyscalls {
		t.Fatalf("%v, %+v", ok, c.Spec)
	}
	image := c.Spec.Milestones.Containers[0].Image
	if image == nil || image.PullMicroseconds == nil || *image.PullMicroseconds != 1_500_000 || *image.SizeBytes != 12 {
		t.Errorf("image %+v", image)
	}
	if _, again := b.Finish(uid); again || len(b.Late(60*sec)) != 0 || len(b.tracks.bySession) != 0 {
		t.Error("something of it is left")
	}
}

func TestImagesThatAreNeverTold(t *testing.T) {
	b := withRemarks()
	begin(b, sec)
	b.Tell(running(true), 2*sec)
	mustClose(t, b, 3*sec)
	b.Gone(uid, 10*sec)
	if late := b.Late(34 * sec); len(late) != 1 {
		t.Fatal("waited for ever")
	}
	c, _ := b.Finish(uid)
	if c.Spec.Complete || !strings.Contains(c.Spec.Coverage.Missing[0], "was not heard") {
		t.Errorf("complete %v, %q", c.Spec.Complete, c.Spec.Coverage.Missing)
	}
}

func TestImagesThatAreToldInTime(t *testing.T) {
	b := withRemarks()
	begin(b, sec)
	b.Tell(running(true), 2*sec)
	b.Said(uid, []Remark{{Reason: "Pulled", Container: "app", Message: "Container image already present on machine"}})
	if s := mustClose(t, b, 3*sec); !s.Complete || len(b.late) != 0 {
		t.Errorf("complete %v, %q", s.Complete, s.Coverage.Missing)
	}
}
