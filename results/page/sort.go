package page

import (
	"regexp"
	"strconv"
)

// quantity is the first number of a cell, with what may stand before it and the
// unit of a duration after it.
var quantity = regexp.MustCompile(`^(?:[≥≤<±~] ?)?([+−-]?[0-9][0-9,]*(?:\.[0-9]+)?)(ns|µs|ms|s|Mbps|Gbps)?(?:[^A-Za-z0-9.]|$)`)

// sortKey is what a cell is sorted by among numbers, or nothing if it is not one.
// A bound is sorted by its number, a duration by its seconds.
func sortKey(cell string) string {
	m := quantity.FindStringSubmatch(cell)
	if m == nil {
		return ""
	}
	var digits []rune
	for _, r := range m[1] {
		switch r {
		case ',':
		case '−':
			digits = append(digits, '-')
		default:
			digits = append(digits, r)
		}
	}
	v, err := strconv.ParseFloat(string(digits), 64)
	if err != nil {
		return ""
	}
	switch m[2] {
	case "ns":
		v /= 1e9
	case "µs":
		v /= 1e6
	case "ms":
		v /= 1e3
	case "Gbps":
		v *= 1e3
	}
	return strconv.FormatFloat(v, 'g', 12, 64)
}
