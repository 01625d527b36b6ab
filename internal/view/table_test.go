// SPDX-License-Identifier: Apache-2.0

package view

import (
	"bytes"
	"testing"
)

func TestColumnsGiveWay(t *testing.T) {
	tab := table{columns: []column{
		{title: "NAME", rank: 3, least: 4}, {title: "N", right: true}, {title: "EXTRA", rank: 2}, {title: "REMARK", rank: 1, least: 6},
	}}
	tab.add(text{s: "long-name"}, text{s: "12"}, text{s: "extra"}, text{s: "a long remark"})
	for width, want := range map[int]string{
		0:  "NAME        N  EXTRA  REMARK\nlong-name  12  extra  a long remark\n",
		30: "NAME        N  EXTRA  REMARK\nlong-name  12  extra  a long …\n",
		27: "NAME        N  REMARK\nlong-name  12  a long rema…\n",
		18: "NAME     N  REMARK\nlong-…  12  a lon…\n",
		14: "NAME        N\nlong-name  12\n",
		9:  "NAME    N\nlong…  12\n",
	} {
		var out bytes.Buffer
		p := newPage(&out, Terminal{Width: width})
		tab.write(p)
		if err := p.flush(); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("width %d:\n%s\nwant\n%s", width, out.String(), want)
		}
	}
}

// What is left over goes to the column that gives way last, wherever it stands.
func TestRoomGoesToWhatCounts(t *testing.T) {
	tab := table{columns: []column{{title: "NAMESPACE", rank: 1, least: 9}, {title: "POD", rank: 2, least: 6}}}
	tab.add(text{s: "kernel-gossip-e2e-gl9p5"}, text{s: "demo-shop-848795f468-xttz9"})
	var out bytes.Buffer
	p := newPage(&out, Terminal{Width: 40})
	tab.write(p)
	if err := p.flush(); err != nil {
		t.Fatal(err)
	}
	if want := "NAMESPACE     POD\nkernel-goss…  demo-shop-848795f468-xttz9\n"; out.String() != want {
		t.Errorf("%s\nwant\n%s", out.String(), want)
	}
}

// A percent sign does not begin a line.
func TestPercentStaysWithItsNumber(t *testing.T) {
	if got := wrap("it took 2.83s (45 %), of which", 18); len(got) != 2 || got[1] != "(45 %), of which" {
		t.Errorf("%q", got)
	}
}
