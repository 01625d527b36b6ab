// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/sink/kube"
)

// wire is the way to the API server, which can be cut.
type wire struct {
	mu    sync.Mutex
	down  bool
	conns []net.Conn
}

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		return nil, errors.New("the wire is cut")
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err == nil {
		w.conns = append(w.conns, conn)
	}
	return conn, err
}

func (w *wire) cut(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}

// startSink runs the observer's sink with the observer's rights on a node.
func startSink(t *testing.T, f *fixture, node string) (*kube.Sink, *wire) {
	t.Helper()
	w := &wire{}
	config := rest.CopyConfig(f.as(observerUser, node))
	config.Dial = w.dial
	dyn, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	sink := kube.New(dyn, slog.New(slog.NewTextHandler(logOutput(), nil)))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		sink.Run(ctx)
		close(done)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return sink, w
}

func sinkStats(t *testing.T, sink *kube.Sink, what string, holds func(kube.Stats) bool) {
	t.Helper()
	eventually(t, what, func(context.Context) (bool, error) { return holds(sink.Stats()), nil })
}

func TestNothingIsLostWhileTheAPIServerIsAway(t *testing.T) {
	f := cluster(t)
	namespace := f.namespace(t)
	sink, wire := startSink(t, f, "node1")

	first := fullWhisper(namespace)
	first.Spec.EndTime = nil
	sink.Whisper(first)
	sinkStats(t, sink, "the first write", func(s kube.Stats) bool { return s.Written == 1 })

	wire.cut(true)
	again, last := first.DeepCopy(), first.DeepCopy()
	again.Spec.KernelTruth.ThrottledPeriods = 98
	last.Spec.EndTime = last.Spec.LastSeenTime.DeepCopy()
	sink.Whisper(again)
	sink.Certificate(fullCertificate(namespace))
	sinkStats(t, sink, "tries in vain", func(s kube.Stats) bool { return s.Retried >= 3 && s.Waiting == 2 })
	sink.Whisper(last)
	wire.cut(false)
	sinkStats(t, sink, "the end of waiting", func(s kube.Stats) bool { return s.Waiting == 0 && s.Refused == 0 && s.Dropped == 0 })

	c := f.admin(t)
	var whisper v1alpha1.KernelWhisper
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(first), &whisper); err != nil || whisper.Spec.EndTime == nil {
		t.Errorf("the latest state of the whisper was not written: %v", err)
	}
	var certificate v1alpha1.PodBirthCertificate
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(fullCertificate(namespace)), &certificate); err != nil {
		t.Error(err)
	}
}

func TestWhatCanNeverSucceedHoldsNothingUp(t *testing.T) {
	f := cluster(t)
	namespace := f.namespace(t)
	sink, _ := startSink(t, f, "node1")

	nowhere := minimalWhisper("no-such-namespace")
	invalid := minimalWhisper(namespace)
	invalid.Name = "invalid"
	invalid.Spec.KernelTruth.ThrottledPercent = "very"
	sink.Whisper(nowhere)
	sink.Whisper(invalid)
	sink.Whisper(minimalWhisper(namespace))
	sinkStats(t, sink, "one write, two refusals", func(s kube.Stats) bool {
		return s.Written == 1 && s.Refused == 2 && s.Waiting == 0
	})
}

func TestOpenWhispersOfANode(t *testing.T) {
	f := cluster(t)
	namespace := f.namespace(t)
	open, ended := fullWhisper(namespace), fullWhisper(namespace)
	open.Name, open.Spec.EndTime, ended.Name = "open", nil, "ended"
	elsewhere := fullWhisper(namespace)
	elsewhere.Name, elsewhere.Spec.EndTime, elsewhere.Spec.NodeName = "elsewhere", nil, "node2"
	elsewhere.Labels[v1alpha1.LabelNode] = "node2"
	for _, w := range []*v1alpha1.KernelWhisper{open, ended, elsewhere} {
		create(t, f.admin(t), w)
	}
	dyn, err := dynamic.NewForConfig(f.as(observerUser, "node1"))
	if err != nil {
		t.Fatal(err)
	}
	found, err := kube.OpenWhispers(t.Context(), dyn, "node1")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, w := range found {
		if w.Namespace == namespace {
			names = append(names, w.Name)
		}
	}
	if len(names) != 1 || names[0] != "open" {
		t.Errorf("open whispers of node1: %v", names)
	}
}
