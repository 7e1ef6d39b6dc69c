package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestAReloadGoesThroughWhenItsClientIsGone asks with a context that has ended:
// half of a reload would be worse than none.
func TestAReloadGoesThroughWhenItsClientIsGone(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("tocsin.yaml", "server: {listen: 127.0.0.1:0}\nstore: {path: "+filepath.Join(dir, "t.db")+"}\nrules: [rules.yaml]\nreceivers: [{name: console, type: console}]\nroute: {receivers: [console]}\n")
	rules := func(n int) {
		write("rules.yaml", fmt.Sprintf("rules: [{id: r%d, metric: host.load1, info: value > 1}]\n", n))
	}
	rules(0)
	var out bytes.Buffer
	w := world{stdout: &out, stderr: &out, kinds: kindsOf(nil)}
	f := files{config: filepath.Join(dir, "tocsin.yaml")}
	p, mistakes := load(f, w)
	if err := mistakes.Err(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	d, err := newDaemon(ctx, f, w, p, newLogger(p.config.Log, w))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- d.run(ctx) }()
	<-d.engine.Ready()
	gone, leave := context.WithCancel(t.Context())
	leave()
	for n := 1; n <= 20; n++ {
		rules(n)
		if err := d.Reload(gone); err != nil {
			t.Fatal(err)
		}
		if id := d.engine.Rules()[0].Rule.ID; id != fmt.Sprintf("r%d", n) {
			t.Fatalf("after reload %d the first rule is %s", n, id)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
