// SPDX-License-Identifier: Apache-2.0

// Package browser holds tests of the files that are made for a browser: the trace of a
// birth in a trace viewer, its picture as it is drawn.
//
// The viewer is Catapult's, that of the Trace Event Format, in the edition which comes with
// Go (for go tool trace); ui.perfetto.dev reads the same format and needs the network.
//
// KG_TEST_STAGE=browser says that Chromium and a font are there (`make test-browser` sees to
// it); otherwise every test skips. Pages come from loopback, and the browser resolves no
// other name.
package browser
