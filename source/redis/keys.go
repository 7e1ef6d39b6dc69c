package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tocsin-dev/tocsin/source"
)

// What one listing of keys may cost the server. A page of SCAN took it 1.1 to
// 1.6 ms at a COUNT of 1000.
const (
	scanCount    = 1000
	scanExamined = 50_000
	scanTime     = 250 * time.Millisecond
	defaultLimit = 100
	maxLimit     = 1000
)

// Keys lists the keys below the configured prefix that match q.Pattern, by
// SCAN, until the limit, 50,000 keys or 250 ms. A pattern without a glob is
// one EXISTS. The pattern may begin with the prefix or leave it out; keys are
// shown whole.
//
// Nothing is lost between pages: a key that exists from the first page to the
// last is on one of them, at least once. SCAN gives whole hash buckets only,
// so a page that would exceed the limit is not cut but asked for again with a
// smaller COUNT, and the cursor is always one that Redis gave. A single bucket
// that holds more than the limit is given whole, the one case of a page beyond
// the limit. A cursor is good for the run of the process that gave it.
//
// A key that a redact pattern matches shows as that pattern's beginning and
// ***, and only to a q.Pattern that matches this as well: session:a* must not
// tell which sessions begin with an a.
//
// The errors are source.ErrKeysDisabled, ErrScanBusy, ErrBadPattern,
// ErrBadCursor, and a *source.Fault for anything the server does.
func (s *Source) Keys(ctx context.Context, q source.KeyQuery) (source.KeyPage, error) {
	if !s.cfg.Keys.Enabled {
		return source.KeyPage{}, source.ErrKeysDisabled
	}
	pattern, err := newKeyPattern(s.cfg.Keys, q.Pattern)
	if err != nil {
		return source.KeyPage{}, err
	}
	if s.conn.life.Err() != nil {
		return source.KeyPage{}, &source.Fault{Kind: source.Down, Err: net.ErrClosed}
	}
	select {
	case s.scan <- struct{}{}:
		defer func() { <-s.scan }()
	default:
		return source.KeyPage{}, source.ErrScanBusy
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	page, err := s.list(ctx, q, pattern)
	if err == nil || errors.Is(err, source.ErrBadCursor) {
		return page, err
	}
	kind, _ := classify(err)
	return source.KeyPage{}, &source.Fault{Kind: kind, Err: err}
}

func (s *Source) list(ctx context.Context, q source.KeyQuery, pattern keyPattern) (source.KeyPage, error) {
	servers, _, err := s.top.layout(ctx)
	if err != nil {
		return source.KeyPage{}, err
	}
	l := lister{
		pattern: pattern, servers: servers, limit: min(q.Limit, maxLimit), details: q.Details,
		until: time.Now().Add(scanTime),
		page:  source.KeyPage{Keys: []string{}, Pattern: pattern.asked, Cursor: beginning},
	}
	if l.limit <= 0 {
		l.limit = defaultLimit
	}
	if err := l.identify(ctx); err != nil {
		return source.KeyPage{}, err
	}
	if pattern.exact {
		err = l.lookUp(ctx)
	} else {
		err = l.walk(ctx, q.Cursor)
	}
	l.page.Filtered = len(l.page.Keys)
	return l.page, err
}

// lister is one listing under way.
type lister struct {
	pattern  keyPattern
	servers  layout
	runs     []string // tag of each server's run, for cursors
	limit    int
	details  bool
	until    time.Time
	examined int
	page     source.KeyPage
}

// identify counts the keys, and notes which run of each server answers.
func (l *lister) identify(ctx context.Context) error {
	l.runs = make([]string, len(l.servers))
	for i, server := range l.servers {
		p := server.client.Pipeline()
		size, about := p.DBSize(ctx), p.Info(ctx, "server")
		_, _ = p.Exec(ctx) // every command carries its own error
		if err := size.Err(); err != nil {
			return server.failed("DBSIZE", err)
		}
		l.page.Total += size.Val()
		// Without the right to INFO a restart goes unnoticed, and that is all.
		l.runs[i] = tagOf(parseInfo(about.Val())["run_id"], server.id)
	}
	return nil
}

// lookUp answers a pattern that can match one key only.
func (l *lister) lookUp(ctx context.Context) error {
	l.page.Complete = true
	shown, ok := l.pattern.show(l.pattern.key)
	if !ok {
		return nil
	}
	server, ok := l.servers.owner(l.pattern.key)
	if !ok {
		return &source.Fault{Kind: source.Down, Err: errors.New("no primary holds the slot of this key")}
	}
	exists, err := keyExists(ctx, server, l.pattern.key)
	if err != nil || !exists {
		return err
	}
	return l.take(ctx, server, []string{l.pattern.key}, []string{shown})
}

// keyExists asks EXISTS, or TYPE where EXISTS is not permitted: the listing
// needs TYPE anyway.
func keyExists(ctx context.Context, n *node, key string) (bool, error) {
	count, err := n.client.Exists(ctx, key).Result()
	if err == nil {
		return count > 0, nil
	}
	if kind, _ := classify(err); kind == source.Blind && isReply(err) {
		if kind, typeErr := n.client.Type(ctx, key).Result(); typeErr == nil {
			return kind != "none", nil
		}
	}
	return false, n.failed("EXISTS", err)
}

// walk scans one server after the other, from the cursor on.
func (l *lister) walk(ctx context.Context, from string) error {
	at, err := parseCursor(from, l.runs)
	if err != nil {
		return err
	}
	for ; at.server < len(l.servers); at = (position{server: at.server + 1}) {
		done, err := l.walkServer(ctx, &at)
		if err != nil {
			return err
		}
		if !done {
			l.page.Cursor = at.format(l.runs)
			return nil
		}
	}
	l.page.Complete = true
	return nil
}

// walkServer scans one server until it is done (true) or the listing has taken
// what it may (false); at is where to go on.
func (l *lister) walkServer(ctx context.Context, at *position) (done bool, err error) {
	server := l.servers[at.server]
	count := int64(scanCount)
	for !l.spent() {
		keys, next, err := server.client.Scan(ctx, at.cursor, l.pattern.match, count).Result()
		if err != nil {
			return false, server.failed("SCAN", err)
		}
		l.examined += int(count)
		raw, shown := l.pattern.showAll(keys)
		room := l.limit - len(l.page.Keys)
		if len(shown) > room && count > 1 {
			count = max(1, min(count/2, int64(room)))
			continue
		}
		if len(shown) > room && len(l.page.Keys) > 0 {
			return false, nil // the bucket goes to the next page
		}
		if err := l.take(ctx, server.node, raw, shown); err != nil {
			return false, err
		}
		at.cursor = next
		if next == 0 {
			return true, nil
		}
		count = min(scanCount, 2*count)
	}
	return false, nil
}

// spent says whether the listing has taken what it may. The first SCAN is
// always sent, so that every page goes on.
func (l *lister) spent() bool {
	if len(l.page.Keys) >= l.limit {
		return true
	}
	return l.examined >= scanExamined || l.examined > 0 && time.Now().After(l.until)
}

// take puts keys on the page, and their details when those were asked for.
func (l *lister) take(ctx context.Context, n *node, raw, shown []string) error {
	l.page.Keys = append(l.page.Keys, shown...)
	if !l.details {
		return nil
	}
	// Each batch lets others in between; a key costs three commands.
	const batch = 100
	for from := 0; from < len(raw); from += batch {
		to := min(from+batch, len(raw))
		items, err := describe(ctx, n, raw[from:to], shown[from:to])
		if err != nil {
			return err
		}
		l.page.Items = append(l.page.Items, items...)
	}
	return nil
}

// describe reads type, time to live and size. What is not permitted stays nil;
// a key that ended meanwhile is left out.
func describe(ctx context.Context, n *node, raw, shown []string) ([]source.KeyItem, error) {
	p := n.client.Pipeline()
	types := make([]*redis.StatusCmd, len(raw))
	ttls := make([]*redis.Cmd, len(raw))
	sizes := make([]*redis.IntCmd, len(raw))
	for i, key := range raw {
		types[i] = p.Type(ctx, key)
		ttls[i] = p.Do(ctx, "ttl", key) // go-redis' own TTL loses the difference between -1 and -1 ns
		sizes[i] = p.MemoryUsage(ctx, key)
	}
	if _, err := p.Exec(ctx); err != nil && !isReply(err) && !errors.Is(err, redis.Nil) {
		return nil, n.failed("TYPE, TTL, MEMORY USAGE", err)
	}
	var items []source.KeyItem
	for i := range raw {
		item := source.KeyItem{Key: shown[i]}
		if kind, err := types[i].Result(); err == nil {
			if kind == "none" {
				continue
			}
			item.Type = &kind
		}
		if ttl, err := ttls[i].Int64(); err == nil {
			if ttl == -2 {
				continue
			}
			item.TTL = &ttl
		}
		if size, err := sizes[i].Result(); err == nil {
			item.Bytes = &size
		}
		items = append(items, item)
	}
	return items, nil
}

// maxPattern and maxStars bound what matching a pattern can cost the server,
// which tries every * at every byte of every key.
const (
	maxPattern = 256
	maxStars   = 8
)

// keyPattern is a pattern, kept below the prefix.
type keyPattern struct {
	asked  string // as the page repeats it
	match  string // for MATCH: the prefix, then what was asked
	exact  bool   // it matches key only
	key    string
	prefix string
	redact []string
}

func newKeyPattern(cfg Keys, asked string) (keyPattern, error) {
	if asked == "" {
		asked = "*"
	}
	if len(asked) > maxPattern {
		return keyPattern{}, fmt.Errorf("%w: longer than %d bytes", source.ErrBadPattern, maxPattern)
	}
	if strings.Count(asked, "*") > maxStars {
		return keyPattern{}, fmt.Errorf("%w: more than %d times *", source.ErrBadPattern, maxStars)
	}
	escaped := globEscape(cfg.Prefix)
	rest := asked
	for _, prefix := range []string{cfg.Prefix, escaped} {
		if r, ok := strings.CutPrefix(asked, prefix); ok {
			rest = r
			break
		}
	}
	return keyPattern{
		asked: asked, match: escaped + rest, prefix: cfg.Prefix, redact: cfg.Redact,
		exact: !isGlob(rest), key: cfg.Prefix + globUnescape(rest),
	}, nil
}

// showAll returns the keys that may be shown, as they are and as they show,
// each once.
func (p keyPattern) showAll(keys []string) (raw, shown []string) {
	seen := make(map[string]bool, len(keys))
	for _, key := range keys {
		if seen[key] {
			continue
		}
		seen[key] = true
		if as, ok := p.show(key); ok {
			raw, shown = append(raw, key), append(shown, as)
		}
	}
	return raw, shown
}

// show returns how a key shows; false when it must not.
func (p keyPattern) show(key string) (string, bool) {
	below, ok := strings.CutPrefix(key, p.prefix)
	if !ok {
		return "", false
	}
	for _, pattern := range p.redact {
		masked := ""
		switch {
		case globMatch(pattern, key):
			masked = literalHead(pattern) + "***"
		case globMatch(pattern, below):
			masked = p.prefix + literalHead(pattern) + "***"
		default:
			continue
		}
		return masked, globMatch(p.match, masked)
	}
	return key, true
}

// literalHead returns what a pattern spells out before its first glob; of one
// that spells out the whole name, nothing.
func literalHead(pattern string) string {
	if i := globStart(pattern); i >= 0 {
		return globUnescape(pattern[:i])
	}
	return ""
}
