package eventlog

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// dropPages takes the pages of files out of the process's memory that lie in a directory, have an
// extension and are mapped as shared. None of them may be unmapped meanwhile: what came into
// its place would be lost.
func dropPages(dir, ext string) error {
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		start, end, ok := mappingOf(lines.Text(), dir, ext)
		if !ok {
			continue
		}
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, start, end-start, unix.MADV_DONTNEED); errno != 0 {
			return errno
		}
	}
	return nil
}

// mappingOf reads a line of /proc/self/maps, ok false if it is of something else.
func mappingOf(line, dir, ext string) (start, end uintptr, ok bool) {
	var mode, offset, dev, inode string
	n, _ := fmt.Sscanf(line, "%x-%x %s %s %s %s", &start, &end, &mode, &offset, &dev, &inode)
	_, path, _ := strings.Cut(line, "/")
	name, in := strings.CutPrefix("/"+path, dir+"/")
	ok = n == 6 && in && !strings.Contains(name, "/") && strings.HasSuffix(name, ext) && strings.HasSuffix(mode, "s")
	return start, end, ok
}
