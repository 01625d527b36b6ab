// SPDX-License-Identifier: Apache-2.0

package bursts

// Heard is how many bursts of a cgroup are kept so far, and how many of them serve
// somebody (event.Burst.Serves); 0 if it is not listened to.
func (l *Listener) Heard(cgroup uint64) (bursts, serving int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.heard {
		if h != nil && h.recording.Cgroup == cgroup {
			return len(h.recording.Bursts), h.serving
		}
	}
	return 0, 0
}
