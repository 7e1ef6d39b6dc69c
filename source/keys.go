package source

import "errors"

// KeyQuery asks for the keys of a cache that match a pattern. The zero value
// asks for the first hundred keys.
type KeyQuery struct {
	// Pattern is a glob as Redis reads it; empty means *.
	Pattern string
	// Limit is the most keys of one page: 100 when 0, at most 1000.
	Limit int
	// Cursor is where the page before ended; empty or "0" begins.
	Cursor string
	// Details asks for Items.
	Details bool
}

// KeyPage is one page of keys, as GET /api/performance/cache/keys serves it.
// Keys that the configuration redacts are masked; values are never read.
type KeyPage struct {
	Keys []string `json:"keys"`
	// Total is the number of keys in the database, whatever the pattern.
	Total int64 `json:"total"`
	// Filtered is the number of keys on this page.
	Filtered int    `json:"filtered"`
	Pattern  string `json:"pattern"`
	// Cursor asks for the next page; "0" when there is none.
	Cursor string `json:"cursor"`
	// Complete says that this page is the last one. A page that is not may
	// hold fewer keys than the limit, or none.
	Complete bool      `json:"complete"`
	Items    []KeyItem `json:"items,omitempty"`
}

// KeyItem is what is known of one key beside its name. A nil pointer is a
// value that cannot be had, and JSON null.
type KeyItem struct {
	Key  string  `json:"key"`
	Type *string `json:"type"`
	// TTL is in seconds; -1 when the key never expires.
	TTL *int64 `json:"ttl"`
	// Bytes is what the key and its value take of Redis' memory.
	Bytes *int64 `json:"bytes"`
}

// What a listing of keys can be refused for; anything else is a fault of the
// server.
var (
	ErrKeysDisabled = errors.New("listing keys is not enabled for this source")
	ErrScanBusy     = errors.New("another listing of keys is at work; try again")
	ErrBadPattern   = errors.New("bad pattern")
	ErrBadCursor    = errors.New("bad cursor")
)
