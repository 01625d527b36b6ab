// SPDX-License-Identifier: Apache-2.0

package cpu

// underWay is a lean-in that has begun.
type underWay struct {
	LeanIn
	until uint64 // when to give up waiting for its end
	void  bool   // what comes of it is not wanted any more
}

// UnderWay is true while the container is leaned in on.
func (s *Suspects) UnderWay(id string) bool {
	_, ok := s.underWay[id]
	return ok
}

// Listening is how many are leaned in on now.
func (s *Suspects) Listening() int { return len(s.underWay) }

// Forget takes that the container is gone, or is not observed any more. A lean-in that
// is under way is void.
func (s *Suspects) Forget(id string) {
	delete(s.all, id)
	if u, ok := s.underWay[id]; ok {
		u.void = true
		s.underWay[id] = u
	}
}

// Void is true for a lean-in that is under way and not wanted any more.
func (s *Suspects) Void(id string) bool { return s.underWay[id].void }
