package pulse

import (
	"bytes"
	"os"
	"strconv"
)

// processors returns the time that all processors of the machine were busy, and all of
// it: the first line of /proc/stat (proc_stat(5)).
func processors() (busy, all float64) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	return parseStat(text)
}

// parseStat reads "cpu user nice system idle iowait irq softirq steal guest guest_nice";
// guests are in user and nice already.
func parseStat(text []byte) (busy, all float64) {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 5 || string(fields[0]) != "cpu" {
		return 0, 0
	}
	for i, f := range fields[1:min(len(fields), 9)] {
		n, err := strconv.ParseFloat(string(f), 64)
		if err != nil {
			return 0, 0
		}
		all += n
		if i != 3 && i != 4 { // idle, iowait
			busy += n
		}
	}
	return busy, all
}
