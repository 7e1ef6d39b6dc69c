package redis

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/tocsin-dev/tocsin/internal/redistest"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/source"
)

func listing(addr, prefix string, redact ...string) Config {
	cfg := at(addr)
	cfg.Keys = Keys{Enabled: true, Prefix: prefix, Redact: redact}
	return cfg
}

func mustList(t *testing.T, s *Source, q source.KeyQuery) source.KeyPage {
	t.Helper()
	page, err := s.Keys(t.Context(), q)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	if page.Filtered != len(page.Keys) || page.Complete != (page.Cursor == "0") {
		t.Fatalf("%+v: filtered %d of %d, complete %v at %q", q, page.Filtered, len(page.Keys), page.Complete, page.Cursor)
	}
	return page
}

// collect lists page by page and calls between after each.
func collect(t *testing.T, s *Source, q source.KeyQuery, between func(page int)) map[string]int {
	t.Helper()
	seen := map[string]int{}
	for n := 1; ; n++ {
		page := mustList(t, s, q)
		// A bucket of Redis's table is never cut: one alone may exceed a small limit,
		// by its random hash.
		if limit := max(q.Limit, 16); q.Limit > 0 && len(page.Keys) > limit {
			t.Fatalf("page %d holds %d keys, limit %d", n, len(page.Keys), q.Limit)
		}
		for _, key := range page.Keys {
			seen[key]++
		}
		if page.Complete {
			return seen
		}
		if n > 20_000 {
			t.Fatal("the listing never ends")
		}
		q.Cursor = page.Cursor
		if between != nil {
			between(n)
		}
	}
}

func fill(t *testing.T, c *goredis.Client, format string, n int) {
	t.Helper()
	p := c.Pipeline()
	for i := range n {
		p.Set(t.Context(), fmt.Sprintf(format, i), "v", 0)
	}
	if _, err := p.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestNoKeyIsLostBetweenPages(t *testing.T) {
	server := redistest.Start(t)
	c := server.Client(t)
	fill(t, c, "user:%d", 5000)
	fill(t, c, "other:%d", 500)
	s := open(t, listing(server.Addr(), ""))
	for _, row := range []struct {
		pattern string
		limit   int
		want    int
	}{
		{"user:*", 100, 5000},
		{"user:*", 7, 5000},
		{"user:*", 1000, 5000},
		{"", 100, 5500},
		{"*:1?", 3, 20},
		{"none:*", 100, 0},
	} {
		t.Run(fmt.Sprintf("%s by %d", row.pattern, row.limit), func(t *testing.T) {
			if seen := collect(t, s, source.KeyQuery{Pattern: row.pattern, Limit: row.limit}, nil); len(seen) != row.want {
				t.Errorf("%d keys, want %d", len(seen), row.want)
			}
		})
	}
}

// Keys that come and go in between make the table grow, shrink and rehash.
func TestNoKeyIsLostWhileOthersComeAndGo(t *testing.T) {
	server := redistest.Start(t)
	c := server.Client(t)
	fill(t, c, "stays:%d", 2000)
	s := open(t, listing(server.Addr(), ""))
	seen := collect(t, s, source.KeyQuery{Pattern: "*", Limit: 50}, func(page int) {
		switch page {
		case 3:
			fill(t, c, "guest:%d", 20_000)
		case 12:
			p := c.Pipeline()
			for i := range 20_000 {
				p.Del(t.Context(), "guest:"+strconv.Itoa(i))
			}
			if _, err := p.Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
	for i := range 2000 {
		if seen["stays:"+strconv.Itoa(i)] == 0 {
			t.Fatalf("stays:%d was lost", i)
		}
	}
}

func TestAListingStaysBelowThePrefix(t *testing.T) {
	server := redistest.Start(t)
	c := server.Client(t)
	for _, key := range []string{"app*:user:1", "app*:user:2", "app*:app*:x", "appx:user:3", "secret", "app*", "app*:"} {
		do(t, c, "set", key, "v")
	}
	s := open(t, listing(server.Addr(), "app*:"))
	for pattern, want := range map[string][]string{
		"*":             {"app*:", "app*:app*:x", "app*:user:1", "app*:user:2"},
		"user:*":        {"app*:user:1", "app*:user:2"},
		"app*:user:*":   {"app*:user:1", "app*:user:2"}, // a shown key can be asked for
		`app\*:user:*`:  {"app*:user:1", "app*:user:2"},
		"user:1":        {"app*:user:1"},
		"app*:user:1":   {"app*:user:1"},
		"secret":        {},
		"appx:*":        {},
		"[^x]*:*":       {"app*:app*:x", "app*:user:1", "app*:user:2"},
		`\a\p\p*secret`: {},
	} {
		page := mustList(t, s, source.KeyQuery{Pattern: pattern})
		slices.Sort(page.Keys)
		if !slices.Equal(page.Keys, want) || !page.Complete || page.Total != 7 || page.Pattern != pattern {
			t.Errorf("%q lists %+v, want %q", pattern, page, want)
		}
	}
}

func TestAPatternWithoutAGlobIsOneExists(t *testing.T) {
	server := redistest.Start(t)
	c := server.Client(t)
	do(t, c, "set", "here", "v")
	do(t, c, "set", "a*b", "v")
	s := open(t, listing(server.Addr(), ""))
	for pattern, want := range map[string]int{"here": 1, "nowhere": 0, `a\*b`: 1} {
		if page := mustList(t, s, source.KeyQuery{Pattern: pattern}); len(page.Keys) != want || !page.Complete {
			t.Errorf("%q: %+v", pattern, page)
		}
	}
	stats := infoNow(t, c, "commandstats")
	if stats.calls("exists") != 3 || stats.calls("scan") != 0 || stats.calls("keys") != 0 {
		t.Errorf("EXISTS %d, SCAN %d, KEYS %d", stats.calls("exists"), stats.calls("scan"), stats.calls("keys"))
	}
}

func TestRedactedKeysAreMaskedAndNotGuessable(t *testing.T) {
	server := redistest.Start(t)
	c := server.Client(t)
	for _, key := range []string{"session:abc", "session:xyz", "mail:ann@example.org", "user:1", "password"} {
		do(t, c, "set", key, "v")
	}
	s := open(t, listing(server.Addr(), "", "session:*", "*@*", "password"))
	for pattern, want := range map[string][]string{
		"*":           {"***", "***", "session:***", "session:***", "user:1"},
		"session:*":   {"session:***", "session:***"},
		"session:a*":  {},
		"session:abc": {},
		"mail:*":      {},
		"password":    {},
		"user:1":      {"user:1"},
	} {
		page := mustList(t, s, source.KeyQuery{Pattern: pattern, Details: true})
		slices.Sort(page.Keys)
		if !slices.Equal(page.Keys, want) {
			t.Errorf("%q lists %q, want %q", pattern, page.Keys, want)
		}
		for _, item := range page.Items {
			if !slices.Contains(want, item.Key) {
				t.Errorf("%q details %q", pattern, item.Key)
			}
		}
	}
}

func TestDetails(t *testing.T) {
	server := redistest.Start(t)
	c := server.Client(t)
	do(t, c, "set", "text", "v")
	do(t, c, "hset", "hash", "f", "v")
	do(t, c, "expire", "hash", 900)
	s := open(t, listing(server.Addr(), ""))
	page := mustList(t, s, source.KeyQuery{Details: true})
	got := map[string]string{}
	for _, item := range page.Items {
		if item.Bytes == nil || *item.Bytes <= 0 {
			t.Errorf("%s takes %v bytes", item.Key, item.Bytes)
		}
		got[item.Key] = fmt.Sprintf("%s %d", *item.Type, *item.TTL)
	}
	if got["text"] != "string -1" || got["hash"] != "hash 900" && got["hash"] != "hash 899" {
		t.Errorf("%v", got)
	}
	if page := mustList(t, s, source.KeyQuery{}); page.Items != nil {
		t.Error("details without being asked")
	}
	do(t, c, leastACL("+scan", "+dbsize", "~*")...)
	cfg := listing(server.Addr(), "")
	cfg.Username, cfg.Password = "tocsin", secret.New("secret")
	page = mustList(t, open(t, cfg), source.KeyQuery{Details: true})
	text, err := json.Marshal(page.Items[0])
	if err != nil || !strings.HasSuffix(string(text), `"type":null,"ttl":null,"bytes":null}`) {
		t.Errorf("what may not be asked is %s, %v", text, err)
	}
}

func TestAListingIsRefused(t *testing.T) {
	server := redistest.Start(t)
	c := server.Client(t)
	fill(t, c, "k%d", 300)
	s := open(t, listing(server.Addr(), ""))
	cursor := mustList(t, s, source.KeyQuery{}).Cursor
	for name, row := range map[string]struct {
		q    source.KeyQuery
		want error
	}{
		"a cursor that is none":             {source.KeyQuery{Cursor: "x"}, source.ErrBadCursor},
		"a cursor of Redis alone":           {source.KeyQuery{Cursor: "5248"}, source.ErrBadCursor},
		"a cursor of another run":           {source.KeyQuery{Cursor: "00000000-5248"}, source.ErrBadCursor},
		"a pattern that is long":            {source.KeyQuery{Pattern: strings.Repeat("x", 300)}, source.ErrBadPattern},
		"a pattern that is hard to match":   {source.KeyQuery{Pattern: strings.Repeat("a*", 20)}, source.ErrBadPattern},
		"a cursor that is good, to compare": {source.KeyQuery{Cursor: cursor}, nil},
	} {
		if _, err := s.Keys(t.Context(), row.q); !errors.Is(err, row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := open(t, at(server.Addr())).Keys(t.Context(), source.KeyQuery{}); !errors.Is(err, source.ErrKeysDisabled) {
		t.Errorf("listing without being enabled: %v", err)
	}
	server.Restart(t)
	if _, err := s.Keys(t.Context(), source.KeyQuery{Cursor: cursor}); !errors.Is(err, source.ErrBadCursor) {
		t.Errorf("a cursor from before the restart: %v", err)
	}
	server.Kill()
	if _, err := s.Keys(t.Context(), source.KeyQuery{}); source.KindOf(err) != source.Down || err == nil {
		t.Errorf("a server that is down: %v", err)
	}
}

func TestOneListingAtATime(t *testing.T) {
	entered, release := make(chan struct{}, 1), make(chan struct{})
	server := startFake(t, func(args []string) string {
		switch args[0] {
		case "DBSIZE":
			return ":1\r\n"
		case "INFO":
			return bulk("run_id:0123456789\r\n")
		case "SCAN":
			entered <- struct{}{}
			<-release
			return "*2\r\n" + bulk("0") + "*0\r\n"
		}
		return ""
	})
	s := open(t, listing(server.addr, ""))
	done := make(chan error, 1)
	go func() {
		_, err := s.Keys(t.Context(), source.KeyQuery{})
		done <- err
	}()
	<-entered
	if _, err := s.Keys(t.Context(), source.KeyQuery{}); !errors.Is(err, source.ErrScanBusy) {
		t.Errorf("a second listing: %v", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	mustList(t, s, source.KeyQuery{})
}

func TestAListingExaminesFiftyThousandKeysAtMost(t *testing.T) {
	scans := 0
	server := startFake(t, func(args []string) string {
		switch args[0] {
		case "DBSIZE":
			return ":10000000\r\n"
		case "INFO":
			return bulk("run_id:0123456789\r\n")
		case "SCAN":
			scans++
			if want := []string{"SCAN", strconv.Itoa(scans - 1), "match", "rare:*", "count", "1000"}; !slices.Equal(args, want) {
				return "-ERR " + fmt.Sprint(args) + "\r\n"
			}
			return "*2\r\n" + bulk(strconv.Itoa(scans)) + "*0\r\n"
		}
		return ""
	})
	page := mustList(t, open(t, listing(server.addr, "")), source.KeyQuery{Pattern: "rare:*"})
	// 250 ms may end it earlier on a slow machine, but never later.
	if n := server.count("SCAN"); n > 50 || page.Complete || page.Cursor != "01234567-"+strconv.Itoa(n) {
		t.Errorf("%d pages of SCAN, then %q", n, page.Cursor)
	}
}

// The recorded pages of SCAN: one with keys, one that MATCH left empty.
func TestRecordedPages(t *testing.T) {
	var recorded struct {
		Scan []struct {
			Cursor string
			Keys   []string
		}
	}
	if err := json.Unmarshal([]byte(fixture(t, "scan_pages_redis-7.0.15.json")), &recorded); err != nil {
		t.Fatal(err)
	}
	pages := map[string]string{}
	from := "0"
	for i, page := range recorded.Scan {
		next := page.Cursor
		if i == len(recorded.Scan)-1 {
			next = "0"
		}
		reply := "*2\r\n" + bulk(next) + "*" + strconv.Itoa(len(page.Keys)) + "\r\n"
		for _, key := range page.Keys {
			reply += bulk(key)
		}
		pages[from], from = reply, page.Cursor
	}
	server := startFake(t, func(args []string) string {
		switch args[0] {
		case "DBSIZE":
			return ":4912\r\n"
		case "INFO":
			return bulk("run_id:0123456789\r\n")
		case "SCAN":
			return pages[args[1]]
		}
		return ""
	})
	page := mustList(t, open(t, listing(server.addr, "maratron:prod:")), source.KeyQuery{Pattern: "user:*"})
	if !slices.Equal(page.Keys, recorded.Scan[0].Keys) || !page.Complete || page.Total != 4912 {
		t.Errorf("%+v", page)
	}
}

func TestGlobsAgreeWithTheServer(t *testing.T) {
	c := redistest.Start(t).Client(t)
	keys := []string{"a", "ab", "abc", "a*b", "[x]", "a-b", `a\b`, "]", "^a", "user:1", "user:22", "ann@example.org", ""}
	for _, key := range keys {
		do(t, c, "set", key, "v")
	}
	for _, pattern := range []string{
		"*", "a*", "?", "??", "[a-b]*", "[^a]*", `a\*b`, "a[*]b", "[", "[]", "[]]", "[^]", `\`, `a\\b`, "[a-", "[b-a]", "user:[0-9]", "*@*.*", "^*", "a-b", "*b*", "**c", `[\]]`,
	} {
		found, _, err := c.Scan(t.Context(), 0, pattern, 1000).Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			if want := slices.Contains(found, key); globMatch(pattern, key) != want {
				t.Errorf("%q on %q: the server says %v", pattern, key, want)
			}
		}
	}
}
