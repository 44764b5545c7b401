package main

import "strings"

// nearest returns the command of the chat that a mistyped one may have meant;
// empty if none is near.
func nearest(typed string) string {
	best, least := "", 3
	for _, c := range commands {
		if len(typed) > 2 && strings.HasPrefix(c.name, typed) {
			return c.name
		}
		if d := distance(typed, c.name); d < least {
			best, least = c.name, d
		}
	}
	if len(typed) <= 3 && least > 1 { // nearly everything is near two letters
		return ""
	}
	return best
}

// distance counts the letters to put in, take out or change to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
