// SPDX-License-Identifier: Apache-2.0

package attribution

import (
	"strings"
	"testing"
)

var id = strings.Repeat("ab", 32)

func TestCNIPod(t *testing.T) {
	got := cniPod("IgnoreUnknown=1;K8S_POD_UID=u;K8S_POD_NAME=a=b;K8S_POD_NAMESPACE=ns;;")
	if got != (PodName{UID: "u", Namespace: "ns", Name: "a=b"}) {
		t.Errorf("%+v", got)
	}
}
