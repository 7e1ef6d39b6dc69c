package redis

import (
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/source"
)

// recordedReplies returns the raw error lines of real servers.
func recordedReplies(t *testing.T) map[string]string {
	t.Helper()
	var file struct{ Replies map[string]any }
	if err := json.Unmarshal([]byte(fixture(t, "error_replies.json")), &file); err != nil {
		t.Fatal(err)
	}
	replies := map[string]string{}
	for name, reply := range file.Replies {
		if text, ok := reply.(string); ok {
			replies[name] = text
		}
	}
	return replies
}

// none is a sample that must not be there.
const none = -1

func TestWhatAServerAnswersSaysWhatIsWrong(t *testing.T) {
	recorded := recordedReplies(t)
	loading := fixture(t, "info_loading_redis-7.0.15.txt")
	linkDown := fixture(t, "info_replica_linkdown_redis-7.0.15.txt")
	for _, row := range []struct {
		name        string
		hello       string // the answer to HELLO, when it is not welcome
		ping, info  string // error lines; info may be a whole reply
		kind        source.FaultKind
		health      source.Health
		status      string
		up, loading float64
		link, usage float64
	}{
		{"loading", "", recorded["loading PING"], loading, source.Starting, source.Degraded, "loading", none, 1, none, none},
		{"loading, INFO too", "", recorded["loading PING"], recorded["loading DBSIZE"], source.Starting, source.Degraded, "loading", none, 1, none, none},
		{"master down", "", recorded["MASTERDOWN PING"], linkDown, source.Starting, source.Degraded, "connected", none, 0, 0, none},
		{"busy", "", recorded["BUSY PING"], recorded["BUSY INFO"], source.Busy, source.Unhealthy, "busy", 0, none, none, none},
		{"no password", "", recorded["NOAUTH PING"], recorded["NOAUTH INFO"], source.Blind, source.Degraded, "unknown", none, none, none, none},
		{"no password, said at HELLO", recorded["NOAUTH PING"], "", "", source.Blind, source.Degraded, "unknown", none, none, none, none},
		{"wrong password", recorded["wrong password"], "", "", source.Blind, source.Degraded, "unknown", none, none, none, none},
		{"nothing permitted", "", recorded["acl CONFIG GET"], recorded["acl CONFIG GET"], source.Blind, source.Degraded, "unknown", none, none, none, none},
		{"full", recorded["maxclients"], "", "", source.Full, source.Unhealthy, "disconnected", 0, none, none, 100},
		{"not Redis", "", "HTTP/1.1 400 Bad Request", "", source.Garbled, source.Degraded, "unknown", none, none, none, none},
		{"an unknown error", "", "-ERR what is PING", "", source.Garbled, source.Degraded, "unknown", none, none, none, none},
	} {
		t.Run(row.name, func(t *testing.T) {
			server := startFake(t, func(args []string) string {
				answers := map[string]string{"HELLO": row.hello, "PING": row.ping, "INFO": row.info}
				text := answers[args[0]]
				if strings.HasPrefix(text, "#") {
					return bulk(text)
				}
				if text != "" {
					text += "\r\n"
				}
				return text
			})
			cfg := at(server.addr)
			cfg.Username, cfg.Password = "tocsin", secret.New("hunter2")
			r, err := poll(t, open(t, cfg))
			if got := source.KindOf(err); err == nil || got != row.kind {
				t.Fatalf("kind %q, want %q: %v", got, row.kind, err)
			}
			var fault *source.Fault
			if !errors.As(err, &fault) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%T: %v", err, err)
			}
			if got := r.Health.Worse(source.HealthOf(err)); got != row.health {
				t.Errorf("health %q, want %q", got, row.health)
			}
			if r.Facts.Cache == nil || r.Facts.Cache.Status != row.status {
				t.Errorf("facts %+v, want status %q", r.Facts.Cache, row.status)
			}
			got := values(r)
			for metric, want := range map[string]float64{
				"redis.up": row.up, "redis.loading": row.loading,
				"redis.replica_link_up": row.link, "redis.client_usage": row.usage,
			} {
				if value, ok := got[metric]; ok != (want != none) || ok && value != want {
					t.Errorf("%s is %v (given: %v), want %v", metric, value, ok, want)
				}
			}
			if server.count("AUTH") > 0 {
				t.Error("AUTH after a HELLO that answered: one failed login a connection is enough")
			}
		})
	}
}

func TestRepliesOfTheKeyspaceAreNoFaultOfTheServer(t *testing.T) {
	recorded := recordedReplies(t)
	for _, name := range []string{"WRONGTYPE", "replica SET", "OOM SET", "cluster GET other slot", "renamed CONFIG", "6.2 INFO with two sections"} {
		if kind := replyKind(strings.TrimPrefix(recorded[name], "-")); kind != source.Garbled {
			t.Errorf("%s is %q", name, kind)
		}
	}
}

func TestAUserWhoMayNotInfoStillSeesThatItIsUp(t *testing.T) {
	for name, refusal := range map[string]string{
		"NOPERM":  "-NOPERM this user has no permissions to run the 'info' command\r\n",
		"renamed": "-ERR unknown command 'INFO', with args beginning with: \r\n",
	} {
		t.Run(name, func(t *testing.T) {
			server := startFake(t, func(args []string) string {
				return map[string]string{"PING": "+PONG\r\n", "INFO": refusal}[args[0]]
			})
			r := mustPoll(t, open(t, at(server.addr)))
			got := values(r)
			if got["redis.up"] != 1 || len(r.Problems) != 1 || r.Problems[0].Query != "INFO" {
				t.Errorf("samples %v, problems %v", got, r.Problems)
			}
			if _, ok := got["redis.ping"]; !ok {
				t.Error("the PING was not timed")
			}
			if r.Facts.Cache.Info != nil || r.Facts.Cache.Status != "connected" {
				t.Errorf("facts %+v", r.Facts.Cache)
			}
		})
	}
}

func TestAUserWhoMayNotPingSeesByInfo(t *testing.T) {
	info := fixture(t, "info_default_redis-7.0.15.txt")
	server := startFake(t, func(args []string) string {
		return map[string]string{
			"PING": "-NOPERM this user has no permissions to run the 'ping' command\r\n", "INFO": bulk(info),
		}[args[0]]
	})
	r := mustPoll(t, open(t, at(server.addr)))
	got := values(r)
	if _, ok := got["redis.ping"]; ok || got["redis.up"] != 1 || got["redis.keys"] != 4912 {
		t.Errorf("samples %v", got)
	}
	if len(r.Problems) != 1 || r.Problems[0].Query != "PING" {
		t.Errorf("problems %v", r.Problems)
	}
}

func TestSilenceIsDownOnlyTheSecondTimeInARow(t *testing.T) {
	info := bulk(fixture(t, "info_default_redis-7.0.15.txt"))
	silent := make(chan bool, 1)
	silent <- true
	release := make(chan struct{})
	set := func(v bool) { <-silent; silent <- v }
	server := startFake(t, func(args []string) string {
		v := <-silent
		silent <- v
		if v {
			<-release
			return ""
		}
		return map[string]string{"PING": "+PONG\r\n", "INFO": info}[args[0]]
	})
	defer close(release)
	s := open(t, at(server.addr))
	const wait = 50 * time.Millisecond
	first := func() {
		t.Helper()
		r, err := pollWithin(t, s, wait)
		var fault *source.Fault
		if err == nil || errors.As(err, &fault) || len(r.Samples) > 0 || r.Health != source.Degraded {
			t.Errorf("the first silence: %v, %v, %q", err, r.Samples, r.Health)
		}
		if r.Facts.Cache != nil {
			t.Error("the first silence changes what is known")
		}
	}
	first()
	r, err := pollWithin(t, s, wait)
	if values(r)["redis.up"] != 0 || len(r.Samples) != 1 || source.HealthOf(err) != source.Unhealthy {
		t.Errorf("the second silence: %v, %v", r.Samples, err)
	}
	set(false)
	if got := values(mustPoll(t, s)); got["redis.up"] != 1 {
		t.Errorf("after the silence: %v", got)
	}
	set(true)
	first() // it is not in a row with those before
}

func TestALostConnectionIsMadeAnewWithinThePoll(t *testing.T) {
	info := bulk(fixture(t, "info_default_redis-7.0.15.txt"))
	var pings atomic.Int32
	server := startFake(t, func(args []string) string {
		if args[0] == "PING" {
			if pings.Add(1) == 3 {
				return "" // the server ends an idle connection as the poll begins
			}
			return "+PONG\r\n"
		}
		return map[string]string{"INFO": info}[args[0]]
	})
	s := open(t, at(server.addr))
	mustPoll(t, s) // two PINGs: the first one paid for connecting
	mustPoll(t, s)
	if server.count("HELLO") != 2 {
		t.Errorf("%d connections, want 2", server.count("HELLO"))
	}
}

func TestAProxyThatEndsEveryConnectionIsDown(t *testing.T) {
	server := startFake(t, func([]string) string { return "" })
	r, err := poll(t, open(t, at(server.addr)))
	if source.KindOf(err) != source.Down || values(r)["redis.up"] != 0 || len(r.Samples) != 1 {
		t.Errorf("%v, %v", r.Samples, err)
	}
}
