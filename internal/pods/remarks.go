// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"context"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"

	"github.com/kernel-gossip/kernel-gossip/internal/birth"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
)

const (
	// asksWaiting bounds the requests that wait; further ones are dropped, and the
	// engine asks again.
	asksWaiting = 256
	// askers is how many requests are under way at once.
	askers = 4
	// askTimeout ends a request that the API server does not answer.
	askTimeout = 5 * time.Second
	// eventsMax bounds the events that are read of one pod.
	eventsMax = 100
)

// Asker reads the events of single pods on request. Watching them would send the
// events of all nodes to every node: the API server cannot select them by node.
type Asker struct {
	client kubernetes.Interface
	asks   chan birth.Pod
	log    *slog.Logger
}

// NewAsker makes an asker; Run makes it answer.
func NewAsker(client kubernetes.Interface, log *slog.Logger) *Asker {
	return &Asker{client: client, asks: make(chan birth.Pod, asksWaiting), log: log}
}

// Ask asks for the events of a pod. It never blocks: a request beyond those that
// wait is dropped.
func (a *Asker) Ask(p birth.Pod) {
	select {
	case a.asks <- p:
	default:
	}
}

// Run answers until ctx is done.
func (a *Asker) Run(ctx context.Context, out chan<- observer.PodUpdate) {
	for range askers - 1 {
		go a.answer(ctx, out)
	}
	a.answer(ctx, out)
}

func (a *Asker) answer(ctx context.Context, out chan<- observer.PodUpdate) {
	for {
		select {
		case <-ctx.Done():
			return
		case p := <-a.asks:
			remarks, err := a.read(ctx, p)
			if err != nil {
				a.log.Debug("cannot read a pod's events", "namespace", p.Namespace, "pod", p.Name, "error", err)
				continue
			}
			select {
			case out <- observer.PodUpdate{Pod: birth.Pod{UID: p.UID}, Said: true, Remarks: remarks}:
			case <-ctx.Done():
				return
			}
		}
	}
}

func (a *Asker) read(ctx context.Context, p birth.Pod) ([]birth.Remark, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	list, err := a.client.CoreV1().Events(p.Namespace).List(ctx, metav1.ListOptions{
		// Of a static pod the kubelet speaks under the UID that it runs it by.
		FieldSelector: fields.AndSelectors(
			fields.OneTermEqualSelector("involvedObject.uid", p.UID),
			fields.OneTermEqualSelector("source", "kubelet"),
		).String(),
		Limit: eventsMax,
	})
	if err != nil {
		return nil, err
	}
	remarks := make([]birth.Remark, 0, len(list.Items))
	for i := range list.Items {
		remarks = append(remarks, remark(&list.Items[i]))
	}
	return remarks, nil
}

func remark(e *corev1.Event) birth.Remark {
	r := birth.Remark{
		Reason: e.Reason, Message: e.Message, Container: birth.ContainerOfField(e.InvolvedObject.FieldPath),
		First: e.FirstTimestamp.Time, Time: e.LastTimestamp.Time, Count: e.Count,
	}
	if series := e.Series; series != nil {
		r.Time, r.Count = series.LastObservedTime.Time, series.Count
	}
	if r.Time.IsZero() {
		r.Time = e.EventTime.Time
	}
	if r.First.IsZero() {
		r.First = e.EventTime.Time
	}
	return r
}
