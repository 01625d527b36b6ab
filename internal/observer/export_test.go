// SPDX-License-Identifier: Apache-2.0

package observer

// Gone are the paths of the cgroups that are taken to be gone.
func (e *Engine) Gone() []string {
	var all []string
	living := e.dictionary.Without(nil)
	alive := make(map[uint64]bool, len(living))
	for _, id := range living {
		alive[id] = true
	}
	for id := range uint64(10) {
		if entry, ok := e.dictionary.Lookup(id); ok && !alive[id] {
			all = append(all, entry.Path)
		}
	}
	return all
}
