package show

import (
	"io"
	"strings"
)

// Table writes rows in columns, wide characters counted as two. The cells are
// cleaned here; the last column is not padded.
func Table(w io.Writer, head []string, rows [][]string) error {
	all := append([][]string{head}, rows...)
	widths := make([]int, len(head))
	for r, row := range all {
		for c, cell := range row {
			all[r][c] = Clean(cell)
			widths[c] = max(widths[c], Width(all[r][c]))
		}
	}
	var out strings.Builder
	for _, row := range all {
		var line strings.Builder
		for c, cell := range row {
			line.WriteString(cell)
			if c < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[c]-Width(cell)+2))
			}
		}
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}
