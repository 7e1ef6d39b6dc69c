package store

import (
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// DeliveryQuery selects deliveries of the outbox, newest first. Zero fields
// select everything.
type DeliveryQuery struct {
	States       []alert.DeliveryState
	Receiver     string
	Group        string    // its key
	AlertID      string    // told of in it
	Since, Until time.Time // created in [Since, Until)
	Limit        int       // 1 to 1000
	Cursor       string    // of the page before
}

// DeliveryPage is one page of deliveries. Next is empty on the last page.
type DeliveryPage struct {
	Deliveries []alert.Delivery
	Next       string
}

// Retention is what Prune goes by. A zero time keeps everything of its kind.
type Retention struct {
	HistoryBefore    time.Time // alerts that ended before, their events, silences, references
	DeliveriesBefore time.Time // deliveries that were settled before
	SamplesBefore    time.Time
	// MaxBytes bounds the store: while it is larger, the oldest that is ended
	// or settled goes, whatever its age. 0 sets no bound.
	MaxBytes int64
}

// MaxPage is the largest page of a history or of deliveries that a driver
// gives; a limit that is 0 or larger is taken as MaxPage.
const MaxPage = 1000

// SampleStats is how many samples are kept, and over which time.
type SampleStats struct {
	Series, Samples int64
	Oldest, Newest  time.Time // zero when there are none
}

// Stats is what a store holds, for the daemon's own metrics. A driver without
// a file of its own leaves the sizes 0.
type Stats struct {
	FileBytes int64 // the database
	WALBytes  int64 // its write-ahead log
	FreeBytes int64 // of FileBytes, what deleted rows left to be used again

	Alerts            int64
	OpenAlerts        int64 // pending or firing
	Events            int64
	Groups            int64
	Members           int64
	Deliveries        int64
	PendingDeliveries int64
	Series            int64
	Samples           int64
}
