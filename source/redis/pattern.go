package redis

import (
	"fmt"
	"strings"

	"github.com/tocsin-dev/tocsin/source"
)

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
		var masked string
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
