// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"testing"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Kubelets say it in several ways; who says something else has said
// nothing of where the image came from.
func TestWhereAnImageCameFrom(t *testing.T) {
	for message, want := range map[string]struct {
		source     v1alpha1.ImageSource
		took, size int64
	}{
		`Successfully pulled image "x:1" in 1.5s (2.1s including waiting). Image size: 123 bytes.`: {v1alpha1.ImagePulled, 1_500_000, 123},
		`Successfully pulled image "x:1" in 800ms (2.1s including waiting)`:                        {v1alpha1.ImagePulled, 800_000, 0},
		`Successfully pulled image "x:1" in 1m2.5s`:                                                {v1alpha1.ImagePulled, 62_500_000, 0},
		`Successfully pulled image "x:1"`:                                                          {v1alpha1.ImagePulled, 0, 0},
		`Container image "x:1" already present on machine`:                                         {v1alpha1.ImagePresent, 0, 0},
		`Container image "x:1" already present on machine and can be accessed by the pod`:          {v1alpha1.ImagePresent, 0, 0},
		`Something else`: {},
	} {
		s := newSeen(Pod{}, 0)
		s.remarks = []Remark{{Reason: "Pulled", Container: "app", Message: message}}
		got := s.image("app")
		if got == nil || want.source == "" {
			if got != nil || want.source != "" {
				t.Errorf("%s: %+v", message, got)
			}
			continue
		}
		var took, size int64
		if got.PullMicroseconds != nil {
			took = *got.PullMicroseconds
		}
		if got.SizeBytes != nil {
			size = *got.SizeBytes
		}
		if got.Source != want.source || took != want.took || size != want.size {
			t.Errorf("%s: %s, %d µs, %d bytes", message, got.Source, took, size)
		}
	}
}
