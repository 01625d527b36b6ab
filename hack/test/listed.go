// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// testTwice runs the tests of the packages that the pattern names. Every test that the
// packages list has to come to an end; those that fail have a second try. The flags are
// for go test.
func testTwice(ctx context.Context, env []string, pattern, packages string, flags ...string) (result, error) {
	wanted, err := listTests(ctx, env, pattern, packages)
	if err != nil {
		return result{}, err
	}
	test := func(pattern string) (result, error) {
		return goTest(ctx, env, append(slices.Clip(flags), "-count=1", "-timeout="+stageTime, "-run="+pattern, packages)...)
	}
	first, err := test(pattern)
	if err != nil || ctx.Err() != nil {
		return first, err
	}
	first.addMissing(wanted)
	return tryAgain(first, test)
}

// listTests gives the full names of the tests that the packages have. It runs none, and
// so says nothing of their stage: their TestMain has nothing to prepare.
func listTests(ctx context.Context, env []string, pattern, packages string) ([]string, error) {
	command := exec.CommandContext(ctx, "go", "test", "-json", "-list="+pattern, packages)
	command.Env = slices.DeleteFunc(append(os.Environ(), env...), func(v string) bool { return strings.HasPrefix(v, "KG_TEST_STAGE=") })
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		_, _ = os.Stdout.Write(out) // why it does not build
		return nil, fmt.Errorf("list the tests of %s: %w", packages, err)
	}
	return listed(out), nil
}

// listed reads the names in the output of go test -json -list.
func listed(out []byte) []string {
	var names []string
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) == nil && e.Action == "output" && strings.HasPrefix(e.Output, "Test") {
			names = append(names, e.Package+" "+strings.TrimSpace(e.Output))
		}
	}
	return names
}

// addMissing counts the tests that were to run and did not come to an end as failed.
func (r *result) addMissing(wanted []string) {
	told := slices.Concat(r.passes, r.failures)
	for _, s := range r.skips {
		name, _, _ := strings.Cut(s, ": ")
		told = append(told, name)
	}
	for _, name := range wanted {
		if !slices.ContainsFunc(told, func(t string) bool { return t == name || strings.HasPrefix(t, name+": ") }) {
			r.addFinal(name + ": did not run")
		}
	}
}
