// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"reflect"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"
)

// The optional Deployment repeats the default one, so that one command turns the
// automation on and applying k8s/ turns it off. It has to stay a repetition.
func TestOptionalDeploymentAddsOneFlag(t *testing.T) {
	plain := deployment(t, "../../k8s/40-deployment-operator.yaml")
	optional := deployment(t, "../../k8s/optional/auto-resize.yaml")
	args := &optional.Spec.Template.Spec.Containers[0].Args
	if !slices.Contains(*args, "--auto-resize") {
		t.Fatalf("arguments %v", *args)
	}
	*args = slices.DeleteFunc(*args, func(a string) bool { return a == "--auto-resize" })
	if !reflect.DeepEqual(plain, optional) {
		t.Errorf("they differ:\n%+v\n%+v", plain, optional)
	}
}

// deployment is the one of a file.
func deployment(t *testing.T, path string) *appsv1.Deployment {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
		d := &appsv1.Deployment{}
		if err := yaml.Unmarshal(document, d); err != nil {
			t.Fatal(err)
		}
		if d.Kind == "Deployment" {
			return d
		}
	}
	t.Fatalf("%s has no Deployment", path)
	return nil
}
