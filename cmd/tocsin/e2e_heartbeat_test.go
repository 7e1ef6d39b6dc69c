//go:build unix

package main_test

import (
	"strings"
	"testing"
	"time"
)

const watchHeartbeats = `
rules: []
sources: []
heartbeats:
  - {name: backup, every: 2s, grace: 1s, labels: {team: data}}
  - {name: nightly, every: 24h, severity: warning, message: "No report {{ tonight }}"}
receivers:
  - {name: hooks, type: webhook, url: "${HOOK_URL}", secret: "${HOOK_SECRET}"}
route: {receivers: [hooks], group_wait: 0s, group_interval: 100ms}
`

func TestAHeartbeatThatIsLateIsAnAlert(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hook := newHook(t)
	w.env["HOOK_URL"], w.env["HOOK_SECRET"] = hook.URL, hookSecret
	w.write("tocsin.yaml", watchHeartbeats)
	d := w.serve()
	beat := func(name string) {
		t.Helper()
		if code, body := d.post("/api/v1/heartbeats/"+name, ""); code != 200 {
			t.Fatalf("%d: %s", code, body)
		}
	}
	beat("backup")
	wantText(t, d.get("/api/v1/heartbeats", nil), `"name":"backup","state":"ok"`, `"name":"nightly","state":"waiting"`)
	await(t, "the alert", func() bool { return strings.Join(d.firing("heartbeat-late"), "") != "" })
	wantText(t, d.get("/api/v1/alerts", nil), `"message":"Heartbeat backup is late: one is expected every 2s, with 1s of grace"`, `"severity":"critical"`, `"team":"data"`, `"heartbeat":"backup"`)
	wantText(t, d.get("/api/v1/heartbeats", nil), `"name":"backup","state":"late"`)
	hook.awaitTold("heartbeat-late", "critical firing")

	// A kill ends neither the alert nor the wait, and one that comes ends both.
	d.kill()
	d = w.serve()
	time.Sleep(200 * time.Millisecond) // long enough to be told wrongly
	if len(d.firing("heartbeat-late")) != 1 {
		t.Error("the alert is gone after the restart")
	}
	beat("backup")
	hook.awaitTold("heartbeat-late", "critical firing", "critical resolved")
	if code, body := d.post("/api/v1/heartbeats/bakcup", ""); code != 404 || !strings.Contains(body, `did you mean \"backup\"?`) {
		t.Errorf("%d: %s", code, body)
	}
	d.stop()
}

func TestPeopleHoldAlertsBackFromATerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hook := newHook(t)
	w.env["HOOK_URL"], w.env["HOOK_SECRET"], w.env["USER"] = hook.URL, hookSecret, "ada"
	w.write("tocsin.yaml", strings.Replace(watchHeartbeats, "every: 2s", "every: 1s", 1))
	d := w.serve()
	at := []string{"--url", d.base}
	run := func(wantCode int, args ...string) string {
		t.Helper()
		code, out := w.run(append(args, at...)...)
		if code != wantCode {
			t.Errorf("%v: exit code %d, want %d:\n%s", args, code, wantCode, out)
		}
		return out
	}
	await(t, "the daemon to be ready", func() bool { return d.status("GET", "/-/ready") == 200 })
	hook.awaitTold("heartbeat-late", "critical firing")
	id := d.history("")[0].ID
	wantText(t, run(0, "ack", id, "--comment", "looking"), `acknowledged  critical  heartbeat-late  {heartbeat="backup", source="_tocsin", team="data"}`)
	wantText(t, d.get("/api/v1/alerts", nil), `"ack":{"by":"ada","comment":"looking"`)
	wantText(t, run(0, "silence", "preview", "heartbeat=backup"), "1 alert fires that this would hold back", "to hooks")
	made := run(0, "silence", "add", "heartbeat=backup", "--for", "2h", "--comment", "the disk is being changed")
	wantText(t, made, "silenced until ", `{heartbeat="backup"}`, "catches  1 of the alerts that fire now")
	silence := strings.Fields(made[strings.Index(made, "  id "):])[1]
	wantText(t, run(0, "silence", "extend", silence, "--for", "1h"), "silenced until ", silence)
	d.kill() // what was answered with success is on the disk
	d = w.serve()
	at[1] = d.base
	await(t, "the daemon to be ready", func() bool { return d.status("GET", "/-/ready") == 200 })
	wantText(t, run(0, "silence", "list"), "active", "the disk is being changed", silence)
	text := run(0, "explain-alert", id)
	wantText(t, text, "heartbeat-late", "FIRING critical", "ack        ada: looking", "sent", "200", "next", "hooks", "silenced until")
	wantText(t, run(0, "silence", "expire", silence), "silence "+silence+" has ended")
	wantText(t, run(0, "snooze", id, "--for", "1h"), "snoozed until ")
	wantText(t, run(0, "unack", id), "taken back")
	wantText(t, run(1, "ack", "none"), `there is no alert "none"`)
	wantText(t, run(1, "silence", "add", "team=~.*", "--comment", "x"), "hold for every alert there is")
	d.stop()
}
