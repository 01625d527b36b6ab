// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// predicted is what a recording gives for one limit.
type predicted struct {
	Limit    float64       `json:"limit"` // cores
	Share    float64       `json:"share"`
	Low      float64       `json:"low"`
	High     float64       `json:"high"`
	StallP99 time.Duration `json:"stallP99"`
}

// advice is what a recording recommends.
type advice struct {
	Limit float64 `json:"limit"` // cores; 0: none of the curve meets the target
	// AtLeast: the recording cannot know, and says so; Limit is the next to measure at.
	AtLeast bool `json:"atLeast,omitempty"`
}

// window is one measurement at one limit.
type window struct {
	Limit   float64 `json:"limit"` // cores
	Seconds float64 `json:"seconds"`
	// Of the level with the greater share of throttled periods, as predicted.
	Periods   int     `json:"periods"`
	Throttled int     `json:"throttled"`
	Container float64 `json:"container"` // share at the container's own level
	Pod       float64 `json:"pod"`
	Usage     float64 `json:"usage"` // cores
	// StallP99 of the Activations that serve somebody.
	StallP99    time.Duration `json:"stallP99"`
	Activations int           `json:"activations"`
	Lost        uint64        `json:"lost,omitempty"`
	// Heard are the counters of the seconds that were recorded, of this window's level
	// with the greater share in them.
	Heard     *counted    `json:"heard,omitempty"`
	Predicted []predicted `json:"predicted,omitempty"`
	Advice    *advice     `json:"advice,omitempty"`
}

// counted is what the counters of a level showed.
type counted struct {
	Periods   int `json:"periods"`
	Throttled int `json:"throttled"`
}

func (c counted) share() float64 {
	if c.Periods == 0 {
		return 0
	}
	return float64(c.Throttled) / float64(c.Periods)
}

func (w window) share() float64 { return counted{w.Periods, w.Throttled}.share() }

// path is how a recommender went from a limit to the one it stays at.
type path struct {
	From  float64 `json:"from"`
	Final float64 `json:"final"` // 0: it gave none
	Steps int     `json:"steps"`
	// Measured at Final, of our own recommender; it may be one that was made for
	// another of its recordings, within 2.5 % of that limit.
	Measured *window `json:"measured,omitempty"`
}

// result is all that was measured of a scene.
type result struct {
	Scene   scene     `json:"scene"`
	Kernel  string    `json:"kernel"`
	CPUs    int       `json:"cpus"`
	Started time.Time `json:"started"`
	Short   bool      `json:"short,omitempty"` // to try the bench out
	Took    float64   `json:"took"`            // seconds
	// Repeats[r][i] is the r-th measurement at Scene.Limits[i].
	// All of a repeat meet the same traffic.
	Repeats [][]window `json:"repeats"`
	// Null is the middle limit once more, with the traffic of the first repeat.
	Null window `json:"null"`
	Ours []path `json:"ours"`
	// Joined are the limits that the recordings of all repeats at each limit give
	// together (cores; 0: none).
	Joined []float64 `json:"joined,omitempty"`
	// Feedback is Koordinator's rule, run for real.
	Feedback []path   `json:"feedback"`
	Probes   []window `json:"probes"`
	// Oracle is the smallest limit that was measured to meet the target; 0 if none
	// did. Fails is the greatest limit below it that did not.
	Oracle float64 `json:"oracle"`
	Fails  float64 `json:"fails"`
	// Second is what the search finds with other traffic: what the oracle's own noise
	// makes of a limit that is right. Nil in older results.
	Second *searched `json:"second,omitempty"`
	// Anew: predictions and limits are those that today's model makes of the recordings.
	Anew bool `json:"-"`
}

// searched is what a search found by its own windows alone.
type searched struct {
	Oracle float64  `json:"oracle"` // 0: nothing met
	Fails  float64  `json:"fails"`
	Probes []window `json:"probes"`
}

// load reads results that are there already, one a line. The last of a scene
// counts.
func load(file string) (map[string]result, error) {
	out := map[string]result{}
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the results: %w", err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	for n := 1; lines.Scan(); n++ {
		var r result
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("read the results: %s, line %d: %w", file, n, err)
		}
		out[r.Scene.Name] = r
	}
	return out, lines.Err()
}

// add appends a result in one write: an interrupt leaves no half line.
func add(file string, r result) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("keep a result: %w", err)
	}
	_, err = f.Write(append(raw, '\n'))
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("keep a result: %w", err)
	}
	return nil
}
