package figure

import (
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"

	"gonum.org/v1/plot/vg"
)

const (
	svgRoot = `xmlns:xlink="http://www.w3.org/1999/xlink">` + "\n"
	svgFont = "font-family:Liberation Sans;font-variant:normal;"
)

// svgText is a piece of text as vgsvg writes it: what stands before its style, the
// style, the text.
var svgText = regexp.MustCompile(`(<text [^>]*?)\n\t(style="([^"]*)")>([^<]*)</text>`)

var svgFontSize = regexp.MustCompile(`font-size:([0-9.]+)px`)

// finish gives the SVG its title and description, and makes its text as wide as it
// was laid out whatever font the reader has: those named have Liberation's metrics,
// and with others the letters are set narrower or wider.
func (f *Figure) finish(svg string, p pen) []byte {
	svg = strings.Replace(svg, svgRoot, fmt.Sprintf("%s<title>%s</title>\n<desc>%s</desc>\n",
		strings.Replace(svgRoot, ">", ` role="img">`, 1), html.EscapeString(f.Title), html.EscapeString(f.Alt)), 1)
	svg = svgText.ReplaceAllStringFunc(svg, func(s string) string {
		m := svgText.FindStringSubmatch(s)
		before, style, text := m[1], m[2], m[4]
		size := svgFontSize.FindStringSubmatch(style)
		if size == nil {
			return s
		}
		px, err := strconv.ParseFloat(size[1], 64)
		if err != nil {
			return s
		}
		w := p.style(vg.Length(px), strings.Contains(style, "font-weight:bold")).Width(html.UnescapeString(text))
		return fmt.Sprintf("%s textLength=\"%.2f\" lengthAdjust=\"spacingAndGlyphs\"\n\t%s>%s</text>", before, w.Points(), style, text)
	})
	return []byte(strings.ReplaceAll(svg, svgFont, "font-family:'Liberation Sans',Arimo,Arial,Helvetica,sans-serif;"))
}
