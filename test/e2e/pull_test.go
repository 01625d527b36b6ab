// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"regexp"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// pauseArchive is the smallest image that there is, as make node-up writes it.
const pauseArchive = "../../build/images/pause.tar"

// TestImageThatComesLater is in a registry that answers only once a first pull
// has failed: a pod in the node's network, on its loopback.
func TestImageThatComesLater(t *testing.T) {
	f := cluster(t)
	if _, err := os.Stat(pauseArchive); err != nil {
		t.Skipf("there is no image to serve: %v; run hack/images/build.sh pause, as the e2e stage of make test does with its node; no other test has a pull that fails first", err)
	}
	t.Parallel()
	s := newScene(t, f)
	port := 20000 + rand.IntN(10000) //nolint:gosec // any that is free
	image := fmt.Sprintf("127.0.0.1:%d/%s:1", port, s.namespace)
	pod := s.create("patient", func(p *corev1.Pod) { p.Spec.Containers[0].Image = image })
	s.fails(pod, ending{
		step: "ImagePull", actor: v1alpha1.ActorRuntime, container: app, reason: "ErrImagePull|ImagePullBackOff",
		message: image, insight: []string{"image"},
	})
	began := s.pods.await(t, "seen", patience, func(seen sighting[*corev1.Pod]) bool { return seen.object.UID == pod.UID }).at
	ready := s.ready(s.create("registry", registry(s, port))).at
	// The kubelet waits at most twice as long before each pull as before the last one,
	// ten seconds first: in sum no longer than it has tried so far, and ten seconds.
	c := s.bornAfterAll(pod, ready.Sub(began)+10*time.Second+patience)
	m := milestonesOf(t, c, app)
	if m.Image == nil || m.Image.Source != v1alpha1.ImagePulled || m.Image.PullMicroseconds == nil || *m.Image.PullMicroseconds == 0 || m.ImageReady == nil {
		t.Errorf("image %+v, ready %+v; want one that was pulled", m.Image, m.ImageReady)
	}
	wantWorkload(t, c, app, 1, 1)
	wantSetbacks(t, c, "ImagePull", "ErrImagePull")
	if !regexp.MustCompile(`after (1 failed attempt|\d+ failed attempts) at ImagePull of container app \(ErrImagePull\).* longest on the critical path: ImageRetry of app`).MatchString(c.Status.Insight) {
		t.Errorf("insight %q does not say what took the time", c.Status.Insight)
	}
	retry, pull := phasesOf(t, c, "ImageRetry", app), phasesOf(t, c, "ImagePull", app)
	if end := retry.StartMicroseconds + retry.DurationMicroseconds; pull.DurationMicroseconds != *m.Image.PullMicroseconds || end != pull.StartMicroseconds {
		t.Errorf("tried again from %d to %d, pulled from %d for %d; the kubelet says for %d",
			retry.StartMicroseconds, end, pull.StartMicroseconds, pull.DurationMicroseconds, *m.Image.PullMicroseconds)
	}
}

// registry serves one image under any name.
func registry(s *scene, port int) change {
	config, layer := imageParts(s.t)
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": part("application/vnd.oci.image.config.v1+json", config),
		"layers": []any{part("application/vnd.oci.image.layer.v1.tar+gzip", layer)},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	conf := fmt.Sprintf(`events {}
http { server {
  listen 127.0.0.1:%d;
  location = /v2/ { return 200; }
  location ~ /manifests/ { default_type application/vnd.oci.image.manifest.v1+json; alias /files/manifest; }
  location ~ /blobs/%s { alias /files/config; }
  location ~ /blobs/%s { alias /files/layer; }
} }`, port, digest(config), digest(layer))
	files := s.files("/files", map[string][]byte{"nginx.conf": []byte(conf), "manifest": manifest, "config": config, "layer": layer})
	return func(p *corev1.Pod) {
		p.Spec.HostNetwork = true
		p.Spec.Containers[0].Args = []string{"-c", "/files/nginx.conf"}
		files(p)
	}
}

func digest(content []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(content)) }

func part(mediaType string, content []byte) map[string]any {
	return map[string]any{"mediaType": mediaType, "digest": digest(content), "size": len(content)}
}

// imageParts are the configuration and the compressed layer of an archive's image.
func imageParts(t *testing.T) (config, layer []byte) {
	t.Helper()
	files := archived(t, pauseArchive)
	var manifest []struct {
		Config string
		Layers []string
	}
	if err := json.Unmarshal(files["manifest.json"], &manifest); err != nil || len(manifest) != 1 || len(manifest[0].Layers) != 1 {
		t.Fatalf("%s: %+v: %v", pauseArchive, manifest, err)
	}
	config, layer = files[manifest[0].Config], files[manifest[0].Layers[0]]
	if bytes.HasPrefix(layer, []byte("\x1f\x8b")) {
		return config, layer
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(layer); err != nil || w.Close() != nil {
		t.Fatalf("compress the layer: %v", err)
	}
	return config, packed.Bytes()
}

func archived(t *testing.T, file string) map[string][]byte {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(raw)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err == nil {
			files[h.Name], err = io.ReadAll(r)
		}
		if err != nil {
			t.Fatalf("read %s: %v", file, err)
		}
	}
}
