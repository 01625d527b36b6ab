// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// patience is how long a condition may take to hold; it is far above what it
// takes, so that only a real fault runs into it.
const patience = 30 * time.Second

// eventually waits until holds is true.
func eventually(t *testing.T, what string, holds func(ctx context.Context) (bool, error)) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, patience, true, holds); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// judgedWhisper waits for the operator's verdict on the present generation.
func judgedWhisper(t *testing.T, c client.Client, key client.ObjectKey) *v1alpha1.KernelWhisper {
	t.Helper()
	w := &v1alpha1.KernelWhisper{}
	eventually(t, "verdict on whisper "+key.String(), func(ctx context.Context) (bool, error) {
		err := c.Get(ctx, key, w)
		return err == nil && w.Status.ObservedGeneration == w.Generation, err
	})
	return w
}

// judgedCertificate waits for the operator's verdict on the present generation.
func judgedCertificate(t *testing.T, c client.Client, key client.ObjectKey) *v1alpha1.PodBirthCertificate {
	t.Helper()
	p := &v1alpha1.PodBirthCertificate{}
	eventually(t, "verdict on certificate "+key.String(), func(ctx context.Context) (bool, error) {
		err := c.Get(ctx, key, p)
		return err == nil && p.Status.ObservedGeneration == p.Generation, err
	})
	return p
}

func wantCondition(t *testing.T, conditions []metav1.Condition, kind string, status metav1.ConditionStatus, reason string) {
	t.Helper()
	c := meta.FindStatusCondition(conditions, kind)
	if c == nil || c.Status != status || c.Reason != reason {
		t.Errorf("condition %s = %+v, want %s for %s", kind, c, status, reason)
	}
}

func nonEmptyLines(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == '\n' })
}
