// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"cmp"
	"path"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// addErrno adds the errno with which the kernel refused the entrypoint: in the
// exec itself, or before, when the runtime looked the file up. Where a runtime
// judged the file without a call that failed, its message names the errno.
func (w *writer) addErrno(f *v1alpha1.BirthFailure, d death) {
	if d.executed() {
		return
	}
	wanted := entrypointIn(f.Message)
	for _, e := range w.birth.events {
		if d.refused(&e) {
			addRefusal(f, &e, wanted)
		}
	}
	if wanted != "" {
		f.Step, f.File = "Entrypoint", cut(printable(wanted), detailMax)
	}
	if f.Errno == "" && f.Actor == v1alpha1.ActorRuntime && f.Step != "ImagePull" {
		f.Errno = errnoIn(f.Message)
	}
}

// refused is true for what the kernel refused those who were to start the container.
func (d *death) refused(e *attribution.Attributed) bool {
	if d.id == "" || e.Who.ContainerID != d.id || e.Workload {
		return false
	}
	return e.Who.Role != event.RoleCNI && e.Who.Role != event.RoleShim
}

// addRefusal adds what the kernel said of the entrypoint: wanted, by the runtime's message.
func addRefusal(f *v1alpha1.BirthFailure, e *attribution.Attributed, wanted string) {
	switch {
	case e.Kind == event.ExecFailed:
		f.Errno, f.Step, f.Actor = unix.ErrnoName(unix.Errno(e.Value)), "Entrypoint", v1alpha1.ActorRuntime
		f.File = cut(printable(e.File), detailMax)
		if f.Message == "" {
			f.Message = "the kernel refused to execute the entrypoint"
		}
	case e.Kind == event.LookupFailed && wanted != "" && (e.File == wanted || path.Base(e.File) == wanted):
		f.Errno = unix.ErrnoName(unix.Errno(e.Value))
	}
}

// entrypointIn is the program that a runtime could not execute, by its message:
// exec: "app": executable file not found in $PATH, exec: "/app": stat /app: no
// such file or directory (runc), executable file `app` not found (crun).
func entrypointIn(message string) string {
	if m := entrypointWords.FindStringSubmatch(message); m != nil {
		return cmp.Or(m[1], m[2])
	}
	return ""
}

var entrypointWords = regexp.MustCompile("exec: \"([^\"]+)\": |executable file `([^`]+)` not found")

// errnoIn is the errno that the last part of a runtime's message is the text of:
// "mount /a:/b: not a directory", at times with advice behind it.
func errnoIn(message string) string {
	message = strings.ToLower(message) // crun has the C library's words
	found, at := "", -1
	for _, errno := range runtimeErrnos {
		if i := strings.LastIndex(message, ": "+errno.Error()); i > at {
			found, at = unix.ErrnoName(errno), i
		}
	}
	return found
}

var runtimeErrnos = []unix.Errno{
	unix.ENOENT, unix.EACCES, unix.ENOEXEC, unix.ENOMEM, unix.ENOTDIR, unix.EISDIR, unix.EPERM, unix.EINVAL, unix.EBUSY,
	unix.ENOSPC, unix.EROFS, unix.ELOOP, unix.ENODEV, unix.ENOSYS, unix.ETXTBSY, unix.ENAMETOOLONG,
}
