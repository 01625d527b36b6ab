// SPDX-License-Identifier: Apache-2.0

package verdict_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

const runcSays = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: " +
	"unable to start container process: "

func TestFailuresInWords(t *testing.T) {
	for _, c := range []struct {
		name    string
		failure v1alpha1.BirthFailure
		want    string
	}{
		{
			"image", v1alpha1.BirthFailure{Step: "ImagePull", Actor: v1alpha1.ActorRuntime, Container: "app", Reason: "ErrImagePull", Message: "connection refused"},
			"at step ImagePull of container app, done by Runtime; the image cannot be pulled; connection refused.",
		},
		{
			"image that may not be pulled", v1alpha1.BirthFailure{Step: "ImagePull", Actor: v1alpha1.ActorKubelet, Container: "app", Reason: "ErrImageNeverPull"},
			"at step ImagePull of container app, done by Kubelet; the image is not on the node, and may not be pulled.",
		},
		{
			"volume", v1alpha1.BirthFailure{Step: "VolumeMount", Actor: v1alpha1.ActorKubelet, Reason: "FailedMount", Message: `configmap "c" not found`},
			`at step VolumeMount, done by Kubelet; a volume cannot be mounted; configmap "c" not found.`,
		},
		{
			"subPath", v1alpha1.BirthFailure{Step: "VolumeMount", Actor: v1alpha1.ActorKubelet, Container: "app", Message: `failed to prepare subPath for volumeMount "v" of container "app"`},
			`at step VolumeMount of container app, done by Kubelet; the subPath of a volume cannot be mounted; failed to prepare subPath for volumeMount "v" of container "app".`,
		},
		{
			"subPathExpr", v1alpha1.BirthFailure{Step: "VolumeMount", Actor: v1alpha1.ActorKubelet, Container: "app", Message: "missing value for DAY"},
			"at step VolumeMount of container app, done by Kubelet; the subPathExpr of a volume names a variable that the container does not have; missing value for DAY.",
		},
		{
			"config", v1alpha1.BirthFailure{Step: "ContainerConfig", Actor: v1alpha1.ActorKubelet, Container: "app", Message: `secret "s" not found`},
			`at step ContainerConfig of container app, done by Kubelet; what the container refers to does not exist; secret "s" not found.`,
		},
		{
			"root", v1alpha1.BirthFailure{Step: "ContainerConfig", Actor: v1alpha1.ActorKubelet, Container: "app", Message: "container has runAsNonRoot and image will run as root"},
			"at step ContainerConfig of container app, done by Kubelet; it may not run as root, and nothing says that it runs as somebody else; container has runAsNonRoot and image will run as root.",
		},
		{
			"plugin", v1alpha1.BirthFailure{Step: "Network", Actor: v1alpha1.ActorCNI, File: "bridge", ExitCode: ptr[int32](1), Message: "no addresses left."},
			"at step Network, done by CNI: bridge, exit code 1; the pod's network cannot be set up; no addresses left.",
		},
		{
			"no such program",
			v1alpha1.BirthFailure{Step: "Entrypoint", Actor: v1alpha1.ActorRuntime, Container: "app", Errno: "ENOENT", File: "/app", Message: runcSays + "x"},
			"at step Entrypoint of container app, done by Runtime: /app, ENOENT (no such file or directory); the container has no such program.",
		},
		{
			"no interpreter", v1alpha1.BirthFailure{Step: "Entrypoint", Actor: v1alpha1.ActorRuntime, Container: "app", Errno: "ENOENT", File: "/app", ExitCode: ptr[int32](1)},
			"at step Entrypoint of container app, done by Runtime: /app, ENOENT (no such file or directory), exit code 1; " +
				"the program is there, and its interpreter or its loader is not.",
		},
		{
			"out of memory", v1alpha1.BirthFailure{Step: "Entrypoint", Actor: v1alpha1.ActorKernel, Container: "app", Signal: "SIGKILL", Reason: "OOMKilled"},
			"at step Entrypoint of container app, done by Kernel: killed by SIGKILL; it needed more than its memory limit while it started.",
		},
		{
			"deadline", v1alpha1.BirthFailure{Step: "Pod", Actor: v1alpha1.ActorKubelet, Reason: "DeadlineExceeded", Message: "longer than the specified deadline"},
			"at step Pod, done by Kubelet; the pod's activeDeadlineSeconds were over before it was Ready; longer than the specified deadline.",
		},
		{
			"never ready", v1alpha1.BirthFailure{Step: "Readiness", Actor: v1alpha1.ActorKubelet, Container: "app", Message: "Readiness probe failed: "},
			"at step Readiness of container app, done by Kubelet; its program runs, and was never Ready; Readiness probe failed.",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := verdict.Certificate(certificate(func(x *v1alpha1.PodBirthCertificate) {
				x.Spec.Outcome, x.Spec.Failure = v1alpha1.OutcomeFailed, &c.failure
			}), nil, clock).Insight
			same(t, "insight", got, "Birth failed after 1.34s "+c.want)
		})
	}
}

func TestOfALongMessageTheCauseIsKept(t *testing.T) {
	long := runcSays + "error during container init: error mounting \"" + strings.Repeat("é", 200) + "\" to rootfs at \"/b\": mount /a:/b: not a directory"
	got := verdict.Certificate(certificate(func(x *v1alpha1.PodBirthCertificate) {
		x.Spec.Outcome = v1alpha1.OutcomeFailed
		x.Spec.Failure = &v1alpha1.BirthFailure{Step: "ContainerCreate", Actor: v1alpha1.ActorRuntime, Container: "app", Message: long}
	}), nil, clock).Insight
	if !strings.HasSuffix(got, "mount /a:/b: not a directory.") || !strings.Contains(got, "; …") || utf8.RuneCountInString(got) > 512 {
		t.Errorf("insight %q", got)
	}
}
