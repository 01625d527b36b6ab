// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// errnoWords explains the error numbers that keep pods from being born. An
// errno that is not here stands by its name alone.
var errnoWords = map[string]string{
	"EACCES":       "permission denied",
	"EADDRINUSE":   "address already in use",
	"EAGAIN":       "resource temporarily unavailable",
	"EBUSY":        "device or resource busy",
	"ECONNREFUSED": "connection refused",
	"EDQUOT":       "disk quota exceeded",
	"EEXIST":       "file exists",
	"EINVAL":       "invalid argument",
	"EIO":          "input/output error",
	"EISDIR":       "is a directory",
	"ELOOP":        "too many levels of symbolic links",
	"EMFILE":       "too many open files in the process",
	"ENAMETOOLONG": "file name too long",
	"ENFILE":       "too many open files in the system",
	"ENODEV":       "no such device",
	"ENOENT":       "no such file or directory",
	"ENOEXEC":      "not an executable of this machine",
	"ENOMEM":       "out of memory",
	"ENOSPC":       "no space left",
	"ENOSYS":       "system call not implemented",
	"ENOTDIR":      "not a directory",
	"EPERM":        "operation not permitted",
	"EROFS":        "read-only file system",
	"ESRCH":        "no such process",
	"ETIMEDOUT":    "timed out",
	"ETXTBSY":      "executable is open for writing",
	"EXDEV":        "link across file systems",
}

func failureInWords(failure *v1alpha1.BirthFailure, took string) string {
	if failure == nil {
		return "Birth failed after " + took + "; where is not known"
	}
	text := fmt.Sprintf("Birth failed after %s at step %s", took, plain(failure.Step))
	if failure.Container != "" {
		text += " of container " + plain(failure.Container)
	}
	if failure.Actor != "" {
		text += ", done by " + plain(string(failure.Actor))
	}
	if why := failureReasons(failure); len(why) > 0 {
		text += ": " + strings.Join(why, ", ")
	}
	if meaning := failureMeaning(failure); meaning != "" {
		text += "; " + meaning
	}
	if failure.Message != "" && !toldByKernel(failure) {
		text += "; " + strings.TrimRight(shorten(plain(failure.Message), messageInWords), ".: ")
	}
	return text
}

// shorten keeps the end of a message: those who hand an error on put what they
// did before it, so that the cause stands last.
func shorten(s string, characters int) string {
	if utf8.RuneCountInString(s) <= characters {
		return s
	}
	runes := []rune(s)
	s = string(runes[len(runes)-characters+1:])
	if _, rest, ok := strings.Cut(s, ": "); ok && len(rest) > characters/2 {
		s = " " + rest
	}
	return "…" + s
}

// messageInWords is how much of a message the insight has room for, in characters.
const messageInWords = 240

// toldByKernel is true where the kernel's word on the program explains the
// failure: the runtime's message would only say it again.
func toldByKernel(f *v1alpha1.BirthFailure) bool {
	if f.Step != "Entrypoint" && f.Step != "InitContainer" {
		return false
	}
	return f.Errno != "" || f.Signal != "" || f.Actor == v1alpha1.ActorWorkload
}

func failureReasons(failure *v1alpha1.BirthFailure) []string {
	var why []string
	if failure.File != "" {
		why = append(why, plain(failure.File))
	}
	if failure.Errno != "" {
		why = append(why, errnoInWords(failure.Errno))
	}
	if failure.Signal != "" {
		why = append(why, "killed by "+plain(failure.Signal))
	}
	if failure.ExitCode != nil {
		why = append(why, fmt.Sprintf("exit code %d", *failure.ExitCode))
	}
	return why
}

// failureMeaning says what a failure comes to, where that is known.
func failureMeaning(f *v1alpha1.BirthFailure) string {
	switch {
	case f.Reason == "OOMKilled" && f.Step == "Entrypoint":
		return "it needed more than its memory limit while it started"
	case f.Reason == "OOMKilled":
		return "the memory limit leaves no room for the runtime to start it"
	case f.Reason == "ErrImageNeverPull":
		return "the image is not on the node, and may not be pulled"
	case f.Reason == "Evicted":
		return "the kubelet evicted the pod before it was Ready"
	case f.Reason == "DeadlineExceeded":
		return "the pod's activeDeadlineSeconds were over before it was Ready"
	}
	return stepMeaning(f)
}

func stepMeaning(f *v1alpha1.BirthFailure) string {
	switch f.Step {
	case "ImagePull":
		return "the image cannot be pulled"
	case "ContainerConfig":
		return configMeaning(f.Message)
	case "VolumeMount":
		return volumeMeaning(f)
	case "PostStartHook":
		return "its postStart hook failed, and the kubelet killed it"
	case "Network":
		return "the pod's network cannot be set up"
	case "Sandbox":
		return "the pod's sandbox cannot be made"
	case "Readiness":
		return "its program runs, and was never Ready"
	case "Entrypoint", "InitContainer":
		return entrypointMeaning(f)
	}
	return ""
}

// configMeaning reads the kubelet's message (pkg/kubelet/kubelet_pods.go,
// kuberuntime/security_context_others.go): it has one reason for all of these.
func configMeaning(message string) string {
	switch {
	case strings.Contains(message, "not found") || strings.Contains(message, "couldn't find key"):
		return "what the container refers to does not exist"
	case strings.Contains(message, "runAsNonRoot"):
		return "it may not run as root, and nothing says that it runs as somebody else"
	}
	return "the container's configuration cannot be used"
}

// volumeMeaning tells the pod's volume from a path within it that one container wants.
func volumeMeaning(f *v1alpha1.BirthFailure) string {
	switch {
	case f.Container == "":
		return "a volume cannot be mounted"
	case strings.HasPrefix(f.Message, "missing value for "):
		return "the subPathExpr of a volume names a variable that the container does not have"
	}
	return "the subPath of a volume cannot be mounted"
}

func entrypointMeaning(f *v1alpha1.BirthFailure) string {
	switch {
	case f.Errno == "ENOENT" && f.ExitCode != nil: // the runtime had found it, and was let down by exec
		return "the program is there, and its interpreter or its loader is not"
	case f.Errno == "ENOENT" && f.File != "":
		return "the container has no such program"
	case f.Errno == "EACCES":
		return "it may not be executed"
	case f.ExitCode != nil && *f.ExitCode == 0:
		return "its program ended at once, without an error"
	}
	return ""
}

func errnoInWords(errno string) string {
	words, known := errnoWords[errno]
	if !known {
		return plain(errno)
	}
	return errno + " (" + words + ")"
}
