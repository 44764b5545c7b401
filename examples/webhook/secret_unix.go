//go:build !windows

package main

import "io/fs"

// othersRead reports whether others than its owner can read a file.
func othersRead(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }
