package main

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/tocsin-dev/tocsin/plugins/plugintest"
)

func TestPlugin(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "out.txt")
	plugintest.Run(t, plugintest.Build(t, "."),
		plugintest.Config(fmt.Sprintf(`{"path": %q, "token": "s3cret"}`, file)),
		plugintest.Slow(fmt.Sprintf(`{"path": %q, "delay": "3s"}`, file)),
		plugintest.Permanent(fmt.Sprintf(`{"path": %q}`, filepath.Join(folder, "missing", "out.txt"))),
		plugintest.Retry(fmt.Sprintf(`{"path": %q}`, folder)), // it is no file
		plugintest.Bad(`{"prefix": 5}`),
	)
}
