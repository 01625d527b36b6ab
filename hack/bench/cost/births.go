// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// births makes births as a node's runtime does, without a kubelet: a CNI plugin
// that is told of the pod (and does nothing), then runc runs a container whose
// entrypoint ends at once. They are made by a process in a cgroup of its own.
type births struct {
	*helper
	bench *bench
}

// birthsIn is what one block of births took, in ns for each.
type birthsIn struct {
	wall float64
	// cpu is that of all of the bench's cgroups: the births, and who listens.
	cpu float64
	// listener is the part of it that who listens took.
	listener float64
}

func (b *bench) startBirths() (*births, error) {
	bundle := filepath.Join(b.folder, "bundle")
	if err := os.MkdirAll(filepath.Join(bundle, "rootfs"), 0o755); err != nil { //nolint:gosec // a container's root is read by all
		return nil, err
	}
	if err := copyFile(b.storm(), filepath.Join(bundle, "rootfs", "true")); err != nil {
		return nil, err
	}
	spec := exec.Command("runc", "spec")
	spec.Dir = bundle
	if out, err := spec.CombinedOutput(); err != nil && !strings.Contains(string(out), "exists") {
		return nil, fmt.Errorf("runc spec: %w: %s", err, out)
	}
	h, err := startHelper(b.groups, groupBirths, "births", bundle, b.groups.Path(groupPods))
	return &births{h, b}, err
}

// make makes n births, under a command that wraps runc ("" for none), and says what
// one took. listener is the cgroup of who listens.
func (h *births) make(wrapper string, n int, listener ...string) (birthsIn, error) {
	if err := h.bench.groups.Mkdir(groupPods); err != nil {
		return birthsIn{}, err
	}
	read := func(path string) float64 {
		t, err := h.bench.groups.CPU(path)
		if err != nil {
			return 0
		}
		return float64(t)
	}
	var before, after birthsIn
	take := func(in *birthsIn) {
		in.cpu = read("")
		for _, path := range listener {
			in.listener += read(path)
		}
	}
	take(&before)
	var wall float64
	for range n {
		said, err := h.ask("%q %q", h.bench.uid(), wrapper)
		if err != nil {
			return birthsIn{}, fmt.Errorf("make a birth: %w", err)
		}
		var ns float64
		if _, err := fmt.Sscan(said, &ns); err != nil {
			return birthsIn{}, fmt.Errorf("understand %q: %w", said, err)
		}
		wall += ns
	}
	take(&after)
	each := float64(n)
	return birthsIn{wall / each, (after.cpu - before.cpu) / each, (after.listener - before.listener) / each}, nil
}

// runBirths is the process that makes them: a pod's uid and a wrapper on each line.
func runBirths(bundle, below string) error {
	config := filepath.Join(bundle, "config.json")
	return answerLines(func(line string) (string, error) {
		var uid, wrapper string
		if _, err := fmt.Sscanf(line, "%q %q", &uid, &wrapper); err != nil {
			return "", fmt.Errorf("understand %q: %w", line, err)
		}
		id := strings.Repeat(strings.ReplaceAll(uid, "-", ""), 2)
		if err := writeConfig(config, filepath.Join(below, "burstable", "pod"+uid, id)); err != nil {
			return "", err
		}
		began := time.Now()
		if err := birth(bundle, uid, id, strings.Fields(wrapper)); err != nil {
			return "", err
		}
		return fmt.Sprint(time.Since(began).Nanoseconds()), nil
	})
}

func birth(bundle, uid, id string, wrapper []string) error {
	plugin := exec.Command(filepath.Join(bundle, "rootfs", "true"))
	plugin.Env = append(os.Environ(), "CNI_COMMAND=ADD", "CNI_CONTAINERID="+strings.Repeat("5", 32)+id[:32], "CNI_NETNS=/run/netns/none",
		"CNI_ARGS=K8S_POD_NAMESPACE=bench;K8S_POD_NAME=web-"+uid[24:]+";K8S_POD_UID="+uid)
	if err := plugin.Run(); err != nil {
		return fmt.Errorf("run a CNI plugin: %w", err)
	}
	argv := append(append([]string{}, wrapper...), "runc", "run", "--bundle", bundle, id)
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", argv[0], err, out)
	}
	return nil
}

// writeConfig puts the pod's cgroup, and what to run, into runc's configuration.
func writeConfig(file, path string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var config map[string]any
	if err := json.Unmarshal(raw, &config); err != nil {
		return fmt.Errorf("read runc's configuration: %w", err)
	}
	process, okP := config["process"].(map[string]any)
	linux, okL := config["linux"].(map[string]any)
	if !okP || !okL {
		return errors.New("runc's configuration has no process or no linux part")
	}
	process["terminal"], process["args"] = false, []string{"/true"}
	delete(process, "rlimits") // setting them needs CAP_SYS_RESOURCE
	linux["cgroupsPath"] = path
	if raw, err = json.Marshal(config); err != nil {
		return err
	}
	return os.WriteFile(file, raw, 0o600)
}

func copyFile(from, to string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, raw, 0o755) //nolint:gosec // it is to be executed
}
