//go:build !unix

package atomicfile

import (
	"io/fs"
	"os"
)

func keepOwner(*os.File, fs.FileInfo) error { return nil } // a file inherits its folder's

func syncFolder(string) error { return nil } // folders cannot be opened for it
