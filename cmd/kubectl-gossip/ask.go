// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/net"

	"github.com/kernel-gossip/kernel-gossip/internal/doctor"
	"github.com/kernel-gossip/kernel-gossip/internal/view"
)

const (
	// atOnce is how many observers are asked at a time.
	atOnce = 16
	// answerWithin is how long one has; it takes some milliseconds.
	answerWithin = 5 * time.Second
	// silence is how many may stay silent, with nobody answering, until the others
	// are not asked any more: no observer can be reached then.
	silence = 2 * atOnce
)

// ask asks all observers, and tells how many have answered where that takes
// longer than a second.
func (s *survey) ask(ctx context.Context, all []*patient) error {
	var queue []*patient
	for _, p := range all {
		if p.port != "" {
			queue = append(queue, p)
		}
	}
	work := make(chan *patient)
	var done, answered, silent atomic.Int64
	var workers sync.WaitGroup
	for range min(atOnce, len(queue)) {
		workers.Go(func() {
			for p := range work {
				if answered.Load() == 0 && silent.Load() >= silence {
					p.Problem = fmt.Sprintf("not asked: none of the first %d observers answered", silence)
				} else if s.askOne(ctx, p); p.Report != nil {
					answered.Add(1)
				} else {
					silent.Add(1)
				}
				done.Add(1)
			}
		})
	}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		defer workers.Wait()
		defer close(work)
		for _, p := range queue {
			select {
			case work <- p:
			case <-ctx.Done():
				return
			}
		}
	}()
	return s.watch(ctx, finished, &done, len(queue))
}

// watch waits until all are asked, and says so if it takes long.
func (s *survey) watch(ctx context.Context, finished <-chan struct{}, done *atomic.Int64, all int) error {
	began, told := s.progress.now(), false
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	what := func() string { return fmt.Sprintf("asking the observers: %d of %d", done.Load(), all) }
	for {
		select {
		case <-finished:
			s.progress.end("asking the observers", s.progress.now().Sub(began), told, ctx.Err())
			if ctx.Err() != nil {
				return fmt.Errorf("%s: %w", what(), context.Cause(ctx))
			}
			return nil
		case <-tick.C:
			if took := s.progress.now().Sub(began); took >= quiet {
				s.progress.tick(what(), took, told)
				told = true
			}
		}
	}
}

// askOne asks one observer.
func (s *survey) askOne(ctx context.Context, p *patient) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	// Not ProxyGet: it drops what the API server says of an observer that it cannot reach.
	answer := s.client.CoreV1().RESTClient().Get().Namespace(s.namespace).Resource("pods").SubResource("proxy").
		Name(net.JoinSchemeNamePort("http", p.Pod, p.port)).Suffix("doctor").Do(ctx)
	if err := answer.Error(); err != nil {
		p.Problem = askProblem(err)
		return
	}
	raw, _ := answer.Raw() // the error is the same
	r := &doctor.Report{}
	switch err := json.Unmarshal(raw, r); {
	case err != nil:
		p.Problem = "its observer's answer is no report"
	case r.APIVersion != doctor.APIVersion:
		p.Problem = fmt.Sprintf("its observer's report is of version %q, and this program reads %s", view.Clean(r.APIVersion), doctor.APIVersion)
	default:
		p.Report = r
	}
}

// address of a peer, which would make every message another one.
var address = regexp.MustCompile(`dial tcp [^ ]+: `)

// standsBy is true where the observer itself has said so, in words: those of an answer
// that is no object are among the causes of its error.
func standsBy(err error) bool {
	said, ok := apierrors.StatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
	return ok && apierrors.IsServiceUnavailable(err) && said.Message == doctor.StandsBy
}

// askProblem says why an observer did not answer.
func askProblem(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded), apierrors.IsTimeout(err):
		return fmt.Sprintf("its observer does not answer within %.0f s", answerWithin.Seconds())
	case apierrors.IsForbidden(err):
		return "you may not ask its observer: get pods/proxy"
	case apierrors.IsNotFound(err) && strings.Contains(err.Error(), `pods "`):
		return "its observer is gone meanwhile"
	case standsBy(err):
		return "its observer stands by: " + doctor.StandsBy
	case apierrors.IsNotFound(err):
		return "its observer is older than this program: it has no /doctor"
	}
	return "its observer cannot be asked: " + address.ReplaceAllString(view.Clean(err.Error()), "")
}
