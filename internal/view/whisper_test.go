// SPDX-License-Identifier: Apache-2.0

package view

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var whisperFiles = []string{"web", "changed", "moved", "contention", "bound", "bare", "recorded"}

// hostileWhisper has a text that tries to break out wherever others choose one.
func hostileWhisper(t *testing.T) *v1alpha1.KernelWhisper {
	t.Helper()
	const evil = "a\x1b[31m\u009b2J\r\n\t<b>&\"'\u202eevil\x00\xff\u2028"
	w := whisper(t, "changed")
	s, st := &w.Spec, &w.Status
	w.Name, w.Namespace, s.PodRef.Name, s.NodeName, s.ContainerName = evil, evil, evil, evil, evil
	s.Evidence[0].Source, s.Evidence[0].Before, s.Evidence[0].After = evil, evil, evil
	s.Bursts.Language = evil
	s.Bursts.Preemptors[0].Namespace, s.Bursts.Preemptors[0].Pod, s.Bursts.Preemptors[1].Cgroup = evil, evil, evil
	st.Insight, st.Recommendation, st.Cause, st.SecondCause, st.Severity = evil, evil, evil, evil, evil
	st.MetricsLie.Claim, st.MetricsLie.PercentOfLimit, st.Outcome.Summary = evil, evil, evil
	s.Counterfactual.Curve[1].ThrottledPercentHigh, s.Counterfactual.Curve[2].ThrottledPercent = evil, "1e99"
	s.Counterfactual.Curve[3].LimitMillicores, s.KernelTruth.PeriodMicroseconds = 1<<62, -1
	s.Bursts.CPUMicroseconds, s.Bursts.ParkedMicroseconds = 1<<40, -5
	return w
}

func TestWhisper(t *testing.T) {
	for name, tt := range map[string]struct {
		file     string
		terminal Terminal
	}{
		"web-piped": {"web", Terminal{}}, "web-60": {"web", Terminal{Width: 60}}, "web-80": {"web", Terminal{Width: 80}}, "web-200": {"web", Terminal{Width: 200}},
		"web-100-color": {"web", Terminal{Width: 100, Color: true}},
		"changed-100":   {"changed", Terminal{Width: 100}}, "moved-100": {"moved", Terminal{Width: 100}}, "contention-80": {"contention", Terminal{Width: 80}},
		"recorded-120": {"recorded", Terminal{Width: 120}}, "bound-80": {"bound", Terminal{Width: 80}}, "bare-80": {"bare", Terminal{Width: 80}}, "budget-80": {"budget", Terminal{Width: 80}}, "hostile-80": {"", Terminal{Width: 80}},
	} {
		t.Run(name, func(t *testing.T) {
			w := hostileWhisper(t)
			if tt.file != "" {
				w = whisper(t, tt.file)
			}
			before := w.DeepCopy()
			var out bytes.Buffer
			if err := Whisper(&out, w, tt.terminal); err != nil {
				t.Fatal(err)
			}
			if before.Spec.PodRef.Name != w.Spec.PodRef.Name {
				t.Error("the whisper itself was changed")
			}
			checkLines(t, out.String(), tt.terminal)
			golden(t, "testdata/whisper-"+name+".golden", out.Bytes())
		})
	}
}

func allWhispers(t *testing.T) []v1alpha1.KernelWhisper {
	t.Helper()
	var all []v1alpha1.KernelWhisper
	for _, file := range whisperFiles {
		all = append(all, *whisper(t, file))
	}
	return all
}

func TestEveryWidthFitsWhispers(t *testing.T) {
	now := time.Date(2026, 11, 25, 19, 14, 0, 0, time.UTC)
	all := append(allWhispers(t), *hostileWhisper(t))
	for width := pictureWidthMin; width <= 210; width += 5 {
		terminal := Terminal{Width: width}
		var out bytes.Buffer
		for i := range all {
			if err := Whisper(&out, &all[i], terminal); err != nil {
				t.Fatal(err)
			}
		}
		// Five columns that say who and how much need more than the narrowest.
		if width >= 60 {
			if err := Whispers(&out, all, terminal, true, now); err != nil {
				t.Fatal(err)
			}
		}
		checkLines(t, out.String(), terminal)
	}
}

func TestColorsAddNothingButColorsToWhispers(t *testing.T) {
	for _, file := range whisperFiles {
		var color, bare bytes.Buffer
		if err := errors.Join(Whisper(&color, whisper(t, file), Terminal{Width: 90, Color: true}), Whisper(&bare, whisper(t, file), Terminal{Width: 90})); err != nil {
			t.Fatal(err)
		}
		if sgr(color.String(), "") != bare.String() {
			t.Errorf("%s differs in more than its colors", file)
		}
	}
}

func TestWhispersTable(t *testing.T) {
	now := time.Date(2026, 11, 25, 19, 14, 0, 0, time.UTC)
	all, err := SortedWhispers(allWhispers(t), BySeverity)
	if err != nil {
		t.Fatal(err)
	}
	for name, terminal := range map[string]Terminal{"piped": {}, "60": {Width: 60}, "80": {Width: 80}, "120-color": {Width: 120, Color: true}, "200": {Width: 200}} {
		var out bytes.Buffer
		if err := Whispers(&out, all, terminal, name == "piped", now); err != nil {
			t.Fatal(err)
		}
		checkLines(t, out.String(), terminal)
		golden(t, "testdata/whispers-"+name+".golden", out.Bytes())
	}
}

func TestWhispersAreOrdered(t *testing.T) {
	make := func(name string, severity v1alpha1.Severity, stall int64, throttled string, begun int, over bool) v1alpha1.KernelWhisper {
		w := v1alpha1.KernelWhisper{}
		w.Name, w.Status.Severity = name, severity
		w.Spec.StartTime = metav1.NewMicroTime(time.Unix(int64(begun), 0))
		w.Spec.KernelTruth = v1alpha1.KernelTruth{ThrottledPercent: throttled}
		if stall >= 0 {
			w.Spec.KernelTruth.StallP99Microseconds = &stall
		}
		if over {
			w.Spec.EndTime = &w.Spec.StartTime
		}
		return w
	}
	all := []v1alpha1.KernelWhisper{
		make("over", v1alpha1.SeverityCritical, 900, "9.0", 1, true),
		make("info", v1alpha1.SeverityInfo, -1, "100.0", 2, false),
		make("critical", v1alpha1.SeverityCritical, 100, "80.0", 3, false),
		make("worse", v1alpha1.SeverityCritical, 500, "10.0", 4, false),
	}
	for by, want := range map[Order]string{
		BySeverity: "worse critical info over", ByStall: "over worse critical info",
		ByThrottled: "info critical worse over", ByAge: "worse critical info over",
	} {
		sorted, err := SortedWhispers(all, by)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, w := range sorted {
			got = append(got, w.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("by %s: %v, want %s", by, got, want)
		}
	}
	if _, err := SortedWhispers(all, ByWait); err == nil {
		t.Error("an order of births is taken")
	}
}

func TestAReplayThatDoesNotGiveWhatWasMeasuredIsDoubted(t *testing.T) {
	const says = "Take it with care: at the recorded limit of 200m the replay gives 61.0%, and the counters showed 31.5%."
	for measured, want := range map[string]bool{"62.3": false, "51.0": false, "31.5": true} {
		w := whisper(t, "web")
		w.Spec.KernelTruth.ThrottledPercent = measured
		var out bytes.Buffer
		if err := Whisper(&out, w, Terminal{Width: 160}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), says) != want {
			t.Errorf("%s%%:\n%s", measured, out.String())
		}
	}
}

func TestTheTitleOfAnAverageSaysWhyThereIsNoMetric(t *testing.T) {
	for why, want := range map[v1alpha1.MetricsMissing]string{
		"": "AN AVERAGE (no metric)", v1alpha1.MetricsNoFigure: "AN AVERAGE (no metric)",
		v1alpha1.MetricsNoAnswer: "AN AVERAGE (no answer)", v1alpha1.MetricsNoAPI: "AN AVERAGE (no metrics API)",
	} {
		if got := metricTitle(&v1alpha1.MetricsLie{Source: v1alpha1.ComputedAverage, Missing: why}); got != want {
			t.Errorf("%q: %q, want %q", why, got, want)
		}
	}
}

func TestWhisperLine(t *testing.T) {
	for file, want := range map[string]string{
		"bare":       "whisper  shop/loop  container loop throttled in 100.0% of periods (20 of 20) by the pod's limit of 100m; used 100m, held back from 880m",
		"changed":    "whisper  shop/web-6d5f8-x2k9q  container app ended after 30s, throttled in 62.3% of periods (38 of 61) by the container's limit of 200m; used 48m, held back from 183m; stall p99 241ms",
		"moved":      "whisper  shop/web-6d5f8-x2k9q  container app throttled in 22.0% of periods (9 of 41) by the container's limit of 290m; used 48m, held back from 52m; stall p99 241ms, recorded at 200m, before the change",
		"contention": "whisper  shop/worker-0  container app waits for a CPU, p99 23.1ms, most behind pod shop/batch-7; used 310m; stall p99 0",
	} {
		if got := WhisperLine(whisper(t, file)); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", file, got, want)
		}
	}
}

func TestAWriteOfAWhisperThatFailsIsReported(t *testing.T) {
	for name, err := range map[string]error{
		"whisper": Whisper(full{}, whisper(t, "web"), Terminal{}), "whispers": Whispers(full{}, allWhispers(t), Terminal{}, true, time.Unix(0, 0)),
	} {
		if !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// On a usual terminal what the metric says is whole beside figures of another limit.
func TestTheMetricIsWholeAtEightyColumns(t *testing.T) {
	w := whisper(t, "moved")
	w.Status.MetricsLie.UsageMillicores, w.Status.MetricsLie.LimitMillicores = 12_046, 52_000
	average := whisper(t, "moved")
	average.Status.MetricsLie.Source, average.Status.MetricsLie.Missing = v1alpha1.ComputedAverage, v1alpha1.MetricsNoAPI
	var out bytes.Buffer
	if err := errors.Join(Whisper(&out, w, Terminal{Width: 80}), Whisper(&out, average, Terminal{Width: 80})); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"12046m, 23.0% of the limit", "52000m, before the change", "AN AVERAGE (no metrics API)", "the threads' time at 200m  "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// What no metric reported is no metric in the table either.
func TestAnAverageIsNoMetric(t *testing.T) {
	all := []v1alpha1.KernelWhisper{*whisper(t, "web"), *whisper(t, "web")}
	all[0].Status.MetricsLie.Source = v1alpha1.ComputedAverage
	ForWhispers(all)
	var out bytes.Buffer
	if err := Whispers(&out, all, Terminal{Width: 80}, false, time.Now()); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(out.String(), "\n"); !strings.Contains(lines[1], " 23.0% avg ") || !strings.Contains(lines[2], " 23.0% ") || strings.Contains(lines[2], "avg") {
		t.Errorf("%s", out.String())
	}
}

// Of an episode that a lowered limit began it is told since when the limit is what it is, and
// a metric from before has no percentage.
func TestAnEpisodeThatAChangedLimitBegan(t *testing.T) {
	w := whisper(t, "web")
	since := metav1.NewMicroTime(w.Status.MetricsLie.Time.Add(-5 * time.Second))
	w.Spec.LimitSince, w.Status.MetricsLie.PercentOfLimit, w.Status.MetricsLie.LimitMillicores = &since, "", 0
	var out, table bytes.Buffer
	if err := errors.Join(Whisper(&out, w, Terminal{Width: 80}), Whispers(&table, []v1alpha1.KernelWhisper{*w}, Terminal{Width: 80}, false, time.Now())); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"CPU used       48m                          46m\n",
		"limit          200m, the container's        across the change\n",
		"limit since    19:10:25                     -\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if !strings.Contains(table.String(), " 46m ") || strings.Contains(table.String(), "23.0%") {
		t.Errorf("%s", table.String())
	}
}

// What is proposed for another limit than the present is not offered: apply refuses it.
func TestAProposalForAnotherLimitThanThePresent(t *testing.T) {
	for to, want := range map[int64]struct{ limit, apply, cell string }{
		290: {"limit          200m → 500m; the limit is 290m now\n", "apply it       not as it is: it was computed for a limit of 200m\n", "500m@200m"},
		0:   {"limit          200m → 500m; the limit is none now\n", "apply it       not as it is: it was computed for a limit of 200m\n", "500m@200m"},
		500: {"limit          200m → 500m\n", "apply it       kubectl gossip apply", "200m→500m"},
		200: {"limit          200m → 500m\n", "apply it       kubectl gossip apply", "200m→500m"},
	} {
		all := []v1alpha1.KernelWhisper{*whisper(t, "moved")}
		all[0].Spec.Change.ToMillicores = to
		var out, table bytes.Buffer
		if err := Whisper(&out, &all[0], Terminal{Width: 100}); err != nil {
			t.Fatal(err)
		}
		ForWhispers(all)
		if err := Whispers(&table, all, Terminal{}, false, time.Now()); err != nil {
			t.Fatal(err)
		}
		for what, text := range map[string]string{want.limit: out.String(), want.apply: out.String(), "  " + want.cell + "  ": table.String()} {
			if !strings.Contains(text, what) {
				t.Errorf("to %d: no %q in\n%s", to, what, text)
			}
		}
	}
}
