// SPDX-License-Identifier: Apache-2.0

package resize

import (
	"fmt"
	"time"
)

// Bounds that no step exceeds.
type Bounds struct {
	// Factor by which one step raises a limit at most, 1.1 at least: a smaller step is
	// not worth the change.
	Factor float64
	// CeilingMillicores that no limit is raised above.
	CeilingMillicores int64
	// HeadroomPercent of the node's allocatable CPU that has to stay free, 0 to 100.
	HeadroomPercent int64
	// CoolDown between two steps of one container.
	CoolDown time.Duration
}

// DefaultBounds are those that the documentation states.
func DefaultBounds() Bounds {
	return Bounds{Factor: 2, CeilingMillicores: 4_000, HeadroomPercent: 10, CoolDown: 10 * time.Minute}
}

// Validate names the first bound that cannot work.
func (b Bounds) Validate() error {
	switch {
	case !(b.Factor >= leastStep && b.Factor <= 100):
		return fmt.Errorf("maximum factor of a resize is %g: it has to be between %g and 100", b.Factor, leastStep)
	case b.CeilingMillicores < 1:
		return fmt.Errorf("ceiling of a resize is %dm: it has to be positive", b.CeilingMillicores)
	case b.HeadroomPercent < 0 || b.HeadroomPercent > 100:
		return fmt.Errorf("node headroom is %d %%: it has to be between 0 and 100", b.HeadroomPercent)
	case b.CoolDown <= 0:
		return fmt.Errorf("cool-down of a resize is %s: it has to be positive", b.CoolDown)
	}
	return nil
}
