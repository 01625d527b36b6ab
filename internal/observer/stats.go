// SPDX-License-Identifier: Apache-2.0

package observer

import "maps"

func (s Stats) clone() Stats {
	s.Births = maps.Clone(s.Births)
	s.Events = maps.Clone(s.Events)
	s.CPU.LeanIns = maps.Clone(s.CPU.LeanIns)
	return s
}
