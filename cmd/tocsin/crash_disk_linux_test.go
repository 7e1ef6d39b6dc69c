package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const diskConfig = `
receivers:
  - {name: hook, type: webhook, url: "${SINK_URL}", timeout: 10s, body: ` + sinkBody + `}
external: {resolve_timeout: 1h}
reload: {alert_after: 300ms}
route: {receivers: [hook], group_by: ['...'], group_wait: 0s, group_interval: 50ms}
`

// disk is a daemon whose store is about to have trouble.
type disk struct {
	*world
	daemon *daemon
	hook   *sink
	posted int
	// kept are the numbers of the alerts that were answered 200.
	kept map[string]bool
}

func newDisk(t *testing.T) *disk {
	t.Helper()
	d := &disk{world: newWorld(t), hook: newSink(t, "the hook", nil), kept: map[string]bool{}}
	d.env["SINK_URL"] = d.hook.URL
	d.write("tocsin.yaml", diskConfig)
	return d
}

// post posts a new alert, and says how that was answered.
func (d *disk) post() int {
	d.t.Helper()
	d.posted++
	n := strconv.Itoa(d.posted)
	// Random text fills the file sooner than text that comes again.
	status, body := d.ask("POST", "/api/v2/alerts", fmt.Sprintf(`[{"labels":{"alertname":"outside","n":%q},"annotations":{"summary":"%x"}}]`, n, rand.Uint64()))
	switch status {
	case http.StatusOK:
		d.kept[n] = true
	case http.StatusServiceUnavailable:
		if !strings.Contains(body, "not stored") {
			d.t.Errorf("status 503: %s", body)
		}
	default:
		d.t.Fatalf("status %d: %s", status, body)
	}
	return status
}

func (d *disk) ask(method, path, body string) (int, string) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.daemon.base+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// awaitTold waits until the receiver was told of a rule's alert so.
func (d *disk) awaitTold(rule, state string) {
	d.t.Helper()
	await(d.t, rule+" to be told as "+state, func() bool {
		for _, a := range d.hook.arrivals() {
			for _, alert := range a.note.Alerts {
				if a.taken && alert.Rule == rule && alert.State == state {
					return true
				}
			}
		}
		return false
	})
}

// awaitPosted waits until every alert that was posted was told, whatever was
// answered.
func (d *disk) awaitPosted() {
	d.t.Helper()
	await(d.t, "every alert to be told", func() bool {
		told := map[string]bool{}
		for _, a := range d.hook.arrivals() {
			for _, alert := range a.note.Alerts {
				told[alert.Labels["n"]] = told[alert.Labels["n"]] || a.taken && alert.State == "firing"
			}
		}
		for n := 1; n <= d.posted; n++ {
			if !told[strconv.Itoa(n)] {
				return false
			}
		}
		return true
	})
}

// missing are the alerts that were answered 200 and do not fire.
func (d *disk) missing() (missing []string, fire int) {
	d.t.Helper()
	var list []struct{ Labels map[string]string }
	if err := json.Unmarshal([]byte(d.daemon.get("/api/v2/alerts", nil)), &list); err != nil {
		d.t.Fatal(err)
	}
	fires := map[string]bool{}
	for _, a := range list {
		fires[a.Labels["n"]] = true
	}
	for n := range d.kept {
		if !fires[n] {
			missing = append(missing, n)
		}
	}
	return missing, len(list)
}

// wantToldOnce complains when an occurrence was told in two messages.
func (d *disk) wantToldOnce() {
	d.t.Helper()
	for id, o := range listen(d.hook).alerts {
		if len(o.firing) > 1 || len(o.resolved) > 1 {
			d.t.Errorf("%s was told as firing in %s and as resolved in %s", id, keysOf(o.firing), keysOf(o.resolved))
		}
	}
}

// trouble makes the store of a running daemon refuse, and lets it go on.
type trouble struct {
	begin, end func()
	// fetch brings the files to where the next daemon looks for them.
	fetch func()
}

func TestAStoreThatCannotGrowIsToldAndRecovers(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(d *disk) trouble{
		"the disk is full":      fullDisk,
		"the file may not grow": limitedFile,
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisk(t)
			trouble := begin(d)
			for range 20 {
				if status := d.post(); status != http.StatusOK {
					t.Fatalf("status %d", status)
				}
			}
			trouble.begin()
			await(t, "the store to refuse", func() bool { return d.post() == http.StatusServiceUnavailable })
			d.awaitPosted()
			d.awaitTold("store-failing", "firing")
			if status, body := d.ask("GET", "/-/ready", ""); status != http.StatusServiceUnavailable || !strings.Contains(body, "the store does not take changes") {
				t.Errorf("ready: status %d, %s", status, body)
			}
			if status, body := d.ask("POST", "/api/v1/silences", `{"matchers":["n=\"none\""],"duration":"1h","created_by":"ada","comment":"c"}`); status != http.StatusServiceUnavailable || !strings.Contains(body, "not_stored") {
				t.Errorf("a silence: status %d, %s", status, body)
			}
			wantText(t, d.daemon.out.String(), "level=ERROR", "store does not take changes")

			trouble.end()
			await(t, "the store to take changes", func() bool { return d.daemon.status("GET", "/-/ready") == http.StatusOK })
			d.awaitTold("store-failing", "resolved")
			if status := d.post(); status != http.StatusOK {
				t.Errorf("status %d", status)
			}
			d.awaitPosted()
			for n := 1; n <= d.posted; n++ {
				d.kept[strconv.Itoa(n)] = true // what was refused is stored now
			}
			trouble.fetch()
			d.daemon.kill()
			await(t, "what was on its way", d.hook.quiet)
			d.daemon = d.start()
			if missing, _ := d.missing(); len(missing) > 0 {
				t.Errorf("after a kill %d alerts are missing: %v", len(missing), missing)
			}
			d.wantToldOnce()
			d.daemon.stop()
		})
	}
}

// limitedFile lets no file of the daemon grow.
func limitedFile(d *disk) trouble {
	d.daemon = d.start()
	limit := func(bytes uint64) {
		d.t.Helper()
		if err := unix.Prlimit(d.daemon.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil); err != nil {
			d.t.Fatal(err)
		}
	}
	return trouble{begin: func() { limit(4096) }, end: func() { limit(unix.RLIM_INFINITY) }, fetch: func() {}}
}

// fullDisk gives the daemon a small file system of its own, which goes with it.
func fullDisk(d *disk) trouble {
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		d.t.Skip("needs unshare, for a file system of its own to fill")
	}
	data := filepath.Join(d.dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		d.t.Fatal(err)
	}
	args := []string{"--mount"}
	if os.Getuid() != 0 {
		args = append(args, "--map-root-user")
	}
	if out, err := exec.CommandContext(d.t.Context(), unshare, append(args, "mount", "-t", "tmpfs", "none", data)...).CombinedOutput(); err != nil {
		d.t.Skipf("may not mount: %v: %s", err, out)
	}
	d.wrap = append(append([]string{unshare}, args...), "sh", "-c", `mount -t tmpfs -o size=8m none "$0" && exec "$@"`, data)
	d.daemon = d.start()
	d.wrap = nil
	inside := fmt.Sprintf("/proc/%d/root%s", d.daemon.cmd.Process.Pid, data)
	ballast := filepath.Join(inside, "ballast")
	return trouble{
		begin: func() {
			f, err := os.Create(ballast) //nolint:gosec // the test's own
			if err != nil {
				d.t.Fatal(err)
			}
			for err == nil {
				_, err = f.Write(make([]byte, 4096))
			}
			if !errors.Is(err, syscall.ENOSPC) {
				d.t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				d.t.Fatal(err)
			}
		},
		end: func() {
			if err := os.Remove(ballast); err != nil {
				d.t.Fatal(err)
			}
		},
		// As a kill would leave them: a process that is stopped writes nothing.
		fetch: func() {
			d.daemon.signal(syscall.SIGSTOP)
			if err := os.CopyFS(data, os.DirFS(inside)); err != nil && !errors.Is(err, fs.ErrExist) {
				d.t.Fatal(err)
			}
		},
	}
}

func TestAFileThatIsMadeReadOnlyLosesNothing(t *testing.T) {
	t.Parallel()
	d := newDisk(t)
	// Permissions bind whoever is not root: a user of the same number that is
	// nobody in its own namespace.
	d.attr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: os.Getgid(), Size: 1}},
	}
	if err := (&exec.Cmd{Path: "/bin/true", SysProcAttr: d.attr}).Run(); err != nil {
		t.Skipf("needs a user without privileges: %v", err)
	}
	d.daemon = d.start()
	for range 20 {
		d.post()
	}
	data := filepath.Join(d.dir, "data")
	chmod := func(folder, file fs.FileMode) {
		t.Helper()
		entries, err := os.ReadDir(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if err := os.Chmod(filepath.Join(data, e.Name()), file); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(data, folder); err != nil {
			t.Fatal(err)
		}
	}
	chmod(0o500, 0o400)
	for range 20 {
		d.post() // it has the file open: whatever it answers holds
	}
	t.Logf("%d of %d alerts were answered 200", len(d.kept), d.posted)
	d.awaitPosted()
	d.daemon.kill()
	await(t, "what was on its way", d.hook.quiet)
	if code, out := d.run("serve", "--config", "tocsin.yaml", "--listen", "127.0.0.1:0"); code == 0 || !strings.Contains(out, "cannot be written to") || !strings.Contains(out, data) {
		t.Errorf("a start on a file that is read-only: code %d, %s", code, out)
	}
	chmod(0o700, 0o600)
	d.daemon = d.start()
	if missing, _ := d.missing(); len(missing) > 0 || len(d.kept) < 20 {
		t.Errorf("%d of %d alerts are missing: %v", len(missing), len(d.kept), missing)
	}
	d.wantToldOnce()
	d.daemon.stop()
}

func TestADamagedDatabaseIsSetAsideAndTold(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(data []byte, random *rand.Rand){
		"a page": func(data []byte, random *rand.Rand) {
			at := (len(data)/2)&^4095 + 4096
			for i := range 4096 {
				data[at+i] = byte(random.Uint32())
			}
		},
		"100 random bytes": func(data []byte, random *rand.Rand) {
			for range 100 {
				data[random.IntN(len(data))] = byte(random.Uint32())
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisk(t)
			d.daemon = d.start()
			for range 300 {
				d.post()
			}
			d.awaitPosted()
			d.daemon.stop()
			path := filepath.Join(d.dir, "data", "tocsin.db")
			data, err := os.ReadFile(path) //nolint:gosec // the test's own
			if err != nil {
				t.Fatal(err)
			}
			spoil(data, rand.New(rand.NewPCG(4, 2))) //nolint:gosec // a test's
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			d.daemon = d.start()
			wantText(t, d.daemon.out.String(), "level=ERROR", "store is damaged", "store was mended", ".damaged-")
			d.awaitTold("store-damaged", "firing")
			_, fire := d.missing()
			t.Logf("%d of %d alerts are left", fire, d.posted)
			if fire < d.posted/3 {
				t.Errorf("%d of %d alerts are left", fire, d.posted)
			}
			if status := d.post(); status != http.StatusOK {
				t.Errorf("status %d", status)
			}
			d.daemon.stop()
			d.daemon = d.start()
			d.awaitTold("store-damaged", "resolved")
			d.daemon.stop()
		})
	}
}

func TestDamageThatIsMetAtWorkIsTold(t *testing.T) {
	t.Parallel()
	d := newDisk(t)
	d.daemon = d.start()
	for range 300 {
		d.post()
	}
	d.awaitPosted()
	d.daemon.stop() // what was written is in the file
	d.daemon = d.start()
	path := filepath.Join(d.dir, "data", "tocsin.db")
	f, err := os.OpenFile(path, os.O_WRONLY, 0) //nolint:gosec // the test's own
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 4096)
	for at := info.Size() / 4 &^ 4095; at < info.Size()/2; at += 4096 {
		for i := range noise {
			noise[i] = byte(rand.Uint32())
		}
		if _, err := f.WriteAt(noise, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	after := map[string]bool{}
	await(t, "the damage to be met", func() bool {
		before := d.posted
		if d.post() == http.StatusOK {
			after[strconv.Itoa(before+1)] = true
		}
		// Whoever reads the past meets it too.
		_, _ = d.ask("GET", "/api/performance/alerts/history?limit=1000", "")
		_, _ = d.ask("GET", "/api/v1/deliveries?limit=1000", "")
		return strings.Contains(d.hook.said("store-damaged"), "critical firing")
	})
	d.awaitPosted() // people are told all the same
	d.daemon.kill()
	await(t, "what was on its way", d.hook.quiet)
	d.daemon = d.start()
	wantText(t, d.daemon.out.String(), "store is damaged", "store was mended")
	t.Logf("%d alerts were answered 200 after the damage, %d otherwise", len(after), d.posted-300-len(after))
	d.kept = after // what lay in the pages is gone; what was answered since is not
	if missing, fire := d.missing(); len(missing) > 0 {
		t.Errorf("%d fire, and of %d that were answered after the damage %v are missing", fire, len(after), missing)
	}
	await(t, "the alert to fall", func() bool { return d.post() == http.StatusOK })
	d.daemon.stop()
}
