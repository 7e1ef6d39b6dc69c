package api

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/tocsin-dev/tocsin/source"
)

// getKeys answers GET /api/performance/cache/keys with one page of a cache's
// keys. The source must be named when several list theirs.
func (s *Server) getKeys(r *http.Request) (any, error) {
	q := parseQuery(r)
	query := source.KeyQuery{
		Pattern: q.text("pattern"), Limit: q.number("limit", 1, 1000, 100),
		Cursor: q.text("cursor"), Details: q.flag("details"),
	}
	name := q.text("source")
	if query.Pattern == "" {
		query.Pattern = "*"
	}
	if len(query.Pattern) > 1000 {
		q.mistake("pattern: longer than 1000 bytes")
	}
	if err := q.err(); err != nil {
		return nil, err
	}
	scanner, err := s.scanner(name)
	if err != nil {
		return nil, err
	}
	page, err := scanner.Keys(r.Context(), query)
	if err != nil {
		return nil, err
	}
	page.Keys = notNil(page.Keys)
	return page, nil
}

func (s *Server) scanner(name string) (KeyScanner, error) {
	names := slices.Sorted(maps.Keys(s.Keys))
	switch {
	case len(names) == 0:
		return nil, source.ErrKeysDisabled
	case name != "":
		if scanner, ok := s.Keys[name]; ok {
			return scanner, nil
		}
		return nil, notFound(fmt.Sprintf("source: %s lists no keys; those that do are %s", short(name), strings.Join(names, ", ")))
	case len(names) > 1:
		return nil, badRequest("source: several list their keys; name one of " + strings.Join(names, ", "))
	}
	return s.Keys[names[0]], nil
}
