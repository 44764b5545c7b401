//go:build unix

package node

import (
	"errors"
	"os"
)

// hasModes: who may read a file is said by its mode.
const hasModes = true

// syncDir makes a rename durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
