package nodetest

import (
	"regexp"
	"runtime"
	"strings"
	"time"
)

// patience is how long, in fake time, goroutines may take to end after the nodes are closed.
const patience = 10 * time.Second

var bubbleMark = regexp.MustCompile(`^goroutine [0-9]+ .*\b(synctest bubble [0-9]+)`)

// stacks returns the stacks of all goroutines, the caller's first.
func stacks() []string {
	for size := 1 << 20; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return strings.Split(string(buf[:n]), "\n\n")
		}
	}
}

// inBubble tells whether the caller runs in a synctest bubble.
func inBubble() bool { return bubbleMark.MatchString(stacks()[0]) }

// goroutines names the goroutines of the caller's bubble.
func goroutines() map[string]bool {
	names := make(map[string]bool)
	for _, s := range bubbleStacks() {
		names[nameOf(s)] = true
	}
	return names
}

// bubbleStacks returns the stacks of the caller's bubble, the caller's first.
func bubbleStacks() []string {
	all := stacks()
	mark := bubbleMark.FindStringSubmatch(all[0])
	if mark == nil {
		return nil
	}
	var mine []string
	for _, s := range all {
		if m := bubbleMark.FindStringSubmatch(s); m != nil && m[1] == mark[1] {
			mine = append(mine, s)
		}
	}
	return mine
}

// nameOf is "goroutine 12", which the runtime gives to no other.
func nameOf(stack string) string {
	number := strings.SplitN(stack, " ", 3)
	return number[0] + " " + number[1]
}

// checkLeaks panics if goroutines that the cluster started outlive it. It does not just fail the
// test: the bubble would wait for them for ever and the test's output never be seen.
func (c *Cluster) checkLeaks() {
	var left []string
	for range int(patience / look) {
		if left = c.leaked(); left == nil {
			return
		}
		time.Sleep(look)
	}
	panic("nodetest: goroutines outlive the cluster:\n\n" + strings.Join(left, "\n\n"))
}

func (c *Cluster) leaked() []string {
	var left []string
	for _, s := range bubbleStacks()[1:] {
		if !c.before[nameOf(s)] {
			left = append(left, s)
		}
	}
	return left
}
