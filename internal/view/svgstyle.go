// SPDX-License-Identifier: Apache-2.0

package view

import "strings"

// svgStyle has the colors of both schemes. Waiting is hatched and what was not
// measured is hollow, so that neither is told by its color alone. It has no variables:
// a program that does not know them, such as librsvg, would paint everything black.
var svgStyle = "<style>\n" +
	`text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.end{text-anchor:end}.head{font-size:16px;font-weight:bold}.strong{font-weight:bold}
.none{stroke-dasharray:3 2}.ring{fill:none;stroke-width:1.5}.drop{stroke-dasharray:1 3}
.flag{paint-order:stroke;stroke-width:5px;stroke-linejoin:round}.wait{fill:url(#kg-wait)}.pale{opacity:.28}
` + light.rules() + "@media(prefers-color-scheme:dark){\n" + dark.rules() + `}
</style>
<defs><pattern id="kg-wait" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch pale" width="5" height="5"/><rect class="hatch" width="2" height="5"/></pattern></defs>
`

// palette is a scheme's colors.
type palette struct{ back, text, dim, grid, band, cpu, wait, none, critical, good, bad string }

var (
	light = palette{"#fff", "#1f2328", "#59636e", "#dfe3e8", "#f6f8fa", "#0072b2", "#d98a00", "#8c959f", "#b0186a", "#1a7f37", "#c0271c"}
	dark  = palette{"#0d1117", "#e6edf3", "#9198a1", "#2a313a", "#151b23", "#56b4e9", "#f0b040", "#6e7681", "#ff7ab8", "#4ac26b", "#ff7b72"}
)

func (p palette) rules() string {
	return strings.NewReplacer("$back", p.back, "$text", p.text, "$dim", p.dim, "$grid", p.grid, "$band", p.band, "$cpu", p.cpu,
		"$wait", p.wait, "$none", p.none, "$critical", p.critical, "$good", p.good, "$bad", p.bad).Replace(
		`text,.pole{fill:$text}.dim{fill:$dim}.good{fill:$good}.bad{fill:$bad}.crit{fill:$critical}
.back{fill:$back}.band{fill:$band}.grid{stroke:$grid}.axis,.drop{stroke:$dim}
.cpu{fill:$cpu}.hatch{fill:$wait}.none{fill:$back;stroke:$none}.ring{stroke:$critical}.flag{stroke:$back}
`)
}
