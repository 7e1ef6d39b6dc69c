package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCommandsOfTheAlertmanagerPage types what the page says, in its order, with
// amtool's own file where the page says that it stands.
func TestCommandsOfTheAlertmanagerPage(t *testing.T) {
	need(t, "bash", "curl", "amtool")
	dir, listen := t.TempDir(), freeListen(t)
	env := plainEnviron("HOME="+dir, "TOCSIN_SERVER__LISTEN="+listen)
	write(t, filepath.Join(dir, "tocsin.yaml"), "store: {path: t.db}\nsources: [{name: push, type: push, interval: 10s}]\nreceivers: [{name: ops, type: console}]\nroute: {receivers: [ops]}\n")
	defer start(t, block{page: "docs/alertmanager.md"}, dir, builtBinary(t)+" serve --config tocsin.yaml", env, listen)()
	here, ran := strings.NewReplacer("127.0.0.1:9590", listen), 0
	for _, b := range blocksOf(t, "docs/alertmanager.md") {
		switch {
		case strings.HasPrefix(b.text, "# amtool\n"):
			for _, path := range []string{".config/amtool/config.yml", ".config/prometheus/amtool.yml"} {
				write(t, filepath.Join(dir, path), here.Replace(b.text))
			}
		case b.lang == "sh":
			ran++
			if out, err := bash(t, dir, here.Replace(b.text), env); err != nil {
				t.Errorf("%s: %v\n%s", b, err, out)
			}
		}
	}
	if ran < 2 {
		t.Errorf("only %d blocks were found", ran)
	}
	out, err := bash(t, dir, "curl -sS http://"+listen+"/api/v2/silences", env)
	if err != nil || !strings.Contains(out, `"state":"expired"`) || !strings.Contains(out, `"comment":"the disk is being replaced"`) {
		t.Errorf("silences: %v\n%s", err, out)
	}
}

// TestCommandsOfTheMigrationPage types what the page says in a folder with files
// of an Alertmanager and of a Prometheus.
func TestCommandsOfTheMigrationPage(t *testing.T) {
	need(t, "bash")
	dir, bin := t.TempDir(), t.TempDir()
	if err := os.Symlink(builtBinary(t), filepath.Join(bin, "tocsin")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "alertmanager.yml"), "route: {receiver: ops}\nreceivers: [{name: ops, webhook_configs: [{url: 'http://127.0.0.1:1/'}]}]\n")
	write(t, filepath.Join(dir, "rules/web.yml"), "groups: [{name: web, rules: [{alert: Slow, expr: latency_seconds > 1, labels: {severity: critical}}]}]\n")
	env, ran := plainEnviron("PATH="+bin+":"+os.Getenv("PATH")), 0
	for _, b := range blocksOf(t, "docs/migrate.md") {
		if b.lang != "sh" {
			continue
		}
		ran++
		out, err := bash(t, dir, b.text, env)
		if err != nil || !strings.Contains(out, "OK: 1 rule") || !strings.Contains(out, "receivers  ops") {
			t.Errorf("%s: %v\n%s", b, err, out)
		}
	}
	if ran == 0 {
		t.Error("no block was found")
	}
}
