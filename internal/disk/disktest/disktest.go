//go:build linux

// Package disktest gives tests a disk that is small, to be filled.
package disktest

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Disk is a file system in memory that ends with the test. Its methods fail the test
// on errors and belong to the test's goroutine.
type Disk struct {
	Dir  string
	t    testing.TB
	used int // files of ballast
}

// Mount makes a disk of so many MB. It skips the test where that needs a right that
// it does not have; see CONTRIBUTING.md on groups.
func Mount(t testing.TB, mb int) *Disk {
	t.Helper()
	d := &Disk{Dir: t.TempDir(), t: t}
	err := syscall.Mount("tmpfs", d.Dir, "tmpfs", 0, size(mb))
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("group root: mounting a small disk: %v", err)
	}
	if err != nil {
		t.Skipf("group root: mounting a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(d.Dir, 0); err != nil {
			t.Error(err)
		}
	})
	return d
}

// Use takes so many bytes.
func (d *Disk) Use(bytes int) {
	d.t.Helper()
	if err := os.WriteFile(d.ballast(), make([]byte, bytes), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// Fill takes all that is left, to the last page.
func (d *Disk) Fill() {
	d.t.Helper()
	f, err := os.Create(d.ballast())
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for page := make([]byte, os.Getpagesize()); err == nil; {
		_, err = f.Write(page)
	}
	if pe, ok := err.(*os.PathError); !ok || pe.Err != syscall.ENOSPC {
		d.t.Fatal(err)
	}
}

// Resize makes it as large as so many MB.
func (d *Disk) Resize(mb int) {
	d.t.Helper()
	if err := syscall.Mount("", d.Dir, "", syscall.MS_REMOUNT, size(mb)); err != nil {
		d.t.Fatal(err)
	}
}

func (d *Disk) ballast() string {
	d.used++
	return filepath.Join(d.Dir, fmt.Sprintf("ballast-%d", d.used))
}

func size(mb int) string { return fmt.Sprintf("size=%dm", mb) }
