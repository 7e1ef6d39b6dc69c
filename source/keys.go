package source

import "errors"

// Errors of a key scan. ErrBadPattern and ErrBadCursor may be wrapped with what
// is wrong.
var (
	ErrScanBusy     = errors.New("another scan of the keys is at work")
	ErrKeysDisabled = errors.New("listing keys is not enabled for this source")
	ErrBadPattern   = errors.New("bad pattern")
	ErrBadCursor    = errors.New("bad cursor")
)

// KeyQuery asks for a page of a cache's keys.
type KeyQuery struct {
	Pattern string // a glob as Redis knows it; empty for every key
	Limit   int    // 1 to 1000
	Cursor  string // of the page before; empty for the first
	Details bool   // type, TTL and size of each key too
}

// KeyPage is one page of keys. It never holds a value.
type KeyPage struct {
	Keys     []string  `json:"keys"`
	Total    int64     `json:"total"`    // keys in the database
	Filtered int       `json:"filtered"` // keys on this page
	Pattern  string    `json:"pattern"`
	Cursor   string    `json:"cursor"`   // asks for the next page; empty after the last
	Complete bool      `json:"complete"` // this page ends the scan
	Items    []KeyItem `json:"items,omitempty"`
}

// KeyItem is what is known of one key beside its name.
type KeyItem struct {
	Key   string `json:"key"`
	Type  string `json:"type"`
	TTL   int64  `json:"ttl"`   // seconds; -1 for a key that does not expire
	Bytes int64  `json:"bytes"` // memory that the key takes
}
