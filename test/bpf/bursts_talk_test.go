// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Parts of acts that wake each other.

// reading reads lines of one byte until an "e".
func reading(fd int) part {
	return func(ready func(), run <-chan struct{}, _ time.Duration) (int, int32, error) {
		ready()
		<-run
		one := make([]byte, 1)
		for n := 0; ; n++ {
			if err := patiently(func() error { _, err := unix.Read(fd, one); return err }); err != nil {
				return n, 0, err
			}
			if one[0] == 'e' {
				return n, unix.SYS_READ, nil
			}
		}
	}
}

// sender writes bytes with pauses, and at the end an "e".
func sender(write func([]byte) error) part {
	return func(ready func(), run <-chan struct{}, d time.Duration) (int, int32, error) {
		ready()
		<-run
		n := 0
		for more := until(d); more(); n++ {
			if err := sleepOnTimer(5*time.Millisecond, nil); err != nil {
				return n, 0, err
			}
			if err := write([]byte{'x'}); err != nil {
				return n, 0, err
			}
		}
		return n, unix.SYS_NANOSLEEP, write([]byte{'e'})
	}
}

func pipes() []part {
	var ends [2]int
	if err := unix.Pipe(ends[:]); err != nil {
		return []part{failing(err)}
	}
	return []part{reading(ends[0]), sender(func(b []byte) error { _, err := unix.Write(ends[1], b); return err })}
}

func failing(err error) part {
	return func(ready func(), _ <-chan struct{}, _ time.Duration) (int, int32, error) {
		ready()
		return 0, 0, err
	}
}

// loopback is a connection of an act with itself.
func loopback() []part {
	listening, port, err := listenOnLoopback()
	if err != nil {
		return []part{failing(err)}
	}
	out, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return []part{failing(err)}
	}
	if err := unix.Connect(out, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return []part{failing(err)}
	}
	in, _, err := unix.Accept(listening)
	if err != nil {
		return []part{failing(err)}
	}
	return []part{reading(in), sender(func(b []byte) error { _, err := unix.Write(out, b); return err })}
}

func listenOnLoopback() (fd, port int, err error) {
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); err != nil {
		return 0, 0, err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, 0, err
	}
	if err := unix.Listen(fd, 1); err != nil {
		return 0, 0, err
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return 0, 0, err
	}
	return fd, name.(*unix.SockaddrInet4).Port, nil
}

// serving tells its port, accepts one connection and reads from it.
func serving(ready func(), run <-chan struct{}, d time.Duration) (int, int32, error) {
	listening, port, err := listenOnLoopback()
	if err != nil {
		return 0, 0, err
	}
	fmt.Println(port)
	in, _, err := unix.Accept(listening)
	if err != nil {
		return 0, 0, err
	}
	return reading(in)(ready, run, d)
}

// futexes wait for each other's word.
func futexes() []part {
	word := new(uint32)
	wait := func(ready func(), run <-chan struct{}, _ time.Duration) (int, int32, error) {
		ready()
		<-run
		n := 0
		for seen := uint32(0); seen != ended; n++ {
			futex(word, futexWait, seen)
			seen = atomic.LoadUint32(word)
		}
		return n, unix.SYS_FUTEX, nil
	}
	return []part{wait, sender(func(b []byte) error {
		if b[0] == 'e' {
			atomic.StoreUint32(word, ended)
		} else {
			atomic.AddUint32(word, 1)
		}
		futex(word, futexWake, 1)
		return nil
	})}
}

// include/uapi/linux/futex.h, with FUTEX_PRIVATE_FLAG.
const (
	futexWait = 0 | 128
	futexWake = 1 | 128
	ended     = 1 << 31
)

func futex(word *uint32, op, value uint32) {
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), uintptr(op), uintptr(value), 0, 0, 0)
}
