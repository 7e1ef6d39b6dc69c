package main

import (
	"go/format"
	"path/filepath"
	"testing"
)

// What a skeleton is written with is as gofmt would have it, whatever its name.
func TestSkeletonsAreFormatted(t *testing.T) {
	for _, kind := range []string{"notifier", "source"} {
		for _, name := range []string{"p", "a-plugin-of-a-rather-long-name"} {
			files, err := pluginFiles(name, kind, "")
			if err != nil {
				t.Fatal(err)
			}
			for file, text := range files {
				if filepath.Ext(file) != ".go" {
					continue
				}
				want, err := format.Source(text)
				if err != nil {
					t.Fatalf("%s of a %s: %v", file, kind, err)
				}
				if string(want) != string(text) {
					t.Errorf("%s of a %s %q is not formatted", file, kind, name)
				}
			}
		}
	}
}
