// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"fmt"
	"strings"

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
	return text
}

func failureReasons(failure *v1alpha1.BirthFailure) []string {
	var why []string
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

func errnoInWords(errno string) string {
	words, known := errnoWords[errno]
	if !known {
		return plain(errno)
	}
	return errno + " (" + words + ")"
}
