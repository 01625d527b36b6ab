// SPDX-License-Identifier: Apache-2.0

package bpf

import "golang.org/x/sys/unix"

// epollWaitNr is what unix.EpollWait calls here.
const epollWaitNr = unix.SYS_EPOLL_PWAIT
