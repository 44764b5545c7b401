package eventlog

import (
	"os"
	"syscall"
	"testing"
)

// watchFiles calls fn whenever a file of a directory comes, goes, or is written
// to by a call, until the test ends. Writes through memory are not seen.
func watchFiles(t *testing.T, dir string, fn func()) {
	t.Helper()
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	must(t, err)
	f := os.NewFile(uintptr(fd), "inotify")
	_, err = syscall.InotifyAddWatch(fd, dir, syscall.IN_CREATE|syscall.IN_DELETE|syscall.IN_MODIFY|syscall.IN_MOVED_FROM|syscall.IN_MOVED_TO)
	must(t, err)
	done := make(chan struct{})
	go func() { // ends when the file is closed
		defer close(done)
		for buf := make([]byte, 1<<16); ; {
			if _, err := f.Read(buf); err != nil {
				return
			}
			fn()
		}
	}()
	t.Cleanup(func() {
		f.Close()
		<-done
	})
}
