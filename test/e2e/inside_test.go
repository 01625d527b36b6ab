// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// tellsItself burns, and has the container of cgroup v2 tell its own counters now and
// then, between two readings of its node's clock. It starts no other process and waits
// for nothing: that would be another load.
const tellsItself = `while :; do
  echo clock $EPOCHREALTIME
  while read -r line; do echo "$line"; done </sys/fs/cgroup/cpu.stat
  echo clock $EPOCHREALTIME
  n=0; while [ $n -lt 5000 ]; do n=$((n + 1)); done
done`

// toldBy are the readings that a container has told, once there is one of a later
// moment than that.
func (s *scene) toldBy(p *corev1.Pod, moment time.Time) *sampler {
	s.t.Helper()
	var all []reading
	within(s.t, emulated, "a later reading that the container tells", func() bool {
		time.Sleep(samplingInterval)
		all = parseTold(s.logs(p))
		return len(all) > 0 && all[len(all)-1].from.After(moment.Add(slack))
	})
	return &sampler{uid: string(p.UID), readings: map[string][]reading{app: all}}
}

// parseTold reads what tellsItself prints. Lines that are not whole are left out, and
// the readings that they are of.
func parseTold(text string) []reading {
	var all []reading
	var now reading
	told := map[string]bool{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if key == "clock" {
			seconds, err := strconv.ParseFloat(value, 64)
			whole, rest := math.Modf(seconds)
			at := time.Unix(int64(whole), int64(rest*1e9))
			if now.to = at; err == nil && told["nr_periods"] && told["nr_throttled"] && told["usage_usec"] {
				all = append(all, now)
			}
			now, told = reading{from: at}, map[string]bool{}
			continue
		}
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			continue
		}
		told[key] = true
		switch key {
		case "nr_periods":
			now.periods = n
		case "nr_throttled":
			now.throttled = n
		case "usage_usec":
			now.usage = n * 1000
		}
	}
	return all
}

// TestParseTold needs no cluster.
func TestParseTold(t *testing.T) {
	stat := "usage_usec 7\nuser_usec 3\nnr_periods 4\nnr_throttled 2\n"
	all := parseTold("clock 100.5\n" + stat + "clock 101.25\nclock 102.5\nusage_usec 9\nclock 103\nclock 104\n" + stat)
	want := reading{time.Unix(100, 5e8), time.Unix(101, 25e7), bandwidth{4, 2, 7000}}
	if len(all) != 1 || all[0] != want {
		t.Errorf("%+v, want %+v alone", all, want)
	}
}
