// SPDX-License-Identifier: Apache-2.0

// Package verdict turns testimony into judgement: from the spec of a
// PodBirthCertificate or a KernelWhisper it computes the status.
//
// It is pure. Nothing here reads a clock, a file or the network; the same
// arguments give the same status. Every number in a text is a field of the
// spec, a figure of the metrics API that was handed in, or arithmetic on those.
// Arguments may be any object that decodes: a spec that the schema would reject
// still gets a defined status.
package verdict
