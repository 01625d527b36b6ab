// SPDX-License-Identifier: Apache-2.0

// Package resize decides what the operator's automation does about a whisper:
// raise a container's CPU limit by one step, take a step back that did not
// help, or nothing, and why. It is pure: the objects are handed in, and what it
// decides is carried out elsewhere. docs/architecture/0014-automation.md has
// the reasons.
package resize
