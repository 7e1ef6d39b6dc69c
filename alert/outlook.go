package alert

import "time"

// Outlook is how an alert stands with each receiver that its routes name, and
// what is due next if nothing changes. Who routes knows what was queued, and
// the ledger what became of it: OutlookTold and OutlookUndelivered are said by
// who reads both.
type Outlook struct {
	Lines []OutlookLine `json:"lines"`
}

// OutlookState is how an alert stands with one receiver.
type OutlookState string

// The states of an alert with a receiver.
const (
	OutlookWaiting      OutlookState = "waiting"     // its group is yet to be sent
	OutlookQueued       OutlookState = "queued"      // its notification is on its way
	OutlookTold         OutlookState = "told"        // its notification has arrived
	OutlookUndelivered  OutlookState = "undelivered" // its notification was given up
	OutlookHeld         OutlookState = "held"        // a rule that it depends on fires
	OutlookSilenced     OutlookState = "silenced"
	OutlookInhibited    OutlookState = "inhibited"
	OutlookMuted        OutlookState = "muted"
	OutlookAcknowledged OutlookState = "acknowledged"
	OutlookSnoozed      OutlookState = "snoozed"
	OutlookEscalation   OutlookState = "escalation" // a step's receiver, whose time has not come
	OutlookLeaving      OutlookState = "leaving"    // it takes another way now; the receiver is told of the end
)

// OutlookLine is one receiver of one group.
type OutlookLine struct {
	Receiver string       `json:"receiver"`
	Group    string       `json:"group"` // its key
	State    OutlookState `json:"state"`
	Reason   string       `json:"reason"` // in words; may be empty where Queued is not zero
	// Queued is when the last notification that told this receiver of the alert
	// was queued, and As what it told; zero for none yet.
	Queued time.Time `json:"queued,omitzero"`
	As     Severity  `json:"as,omitzero"`
	// Next is when something is due, and What that is; zero for nothing before
	// the alert changes.
	Next time.Time `json:"next,omitzero"`
	What string    `json:"what,omitempty"`
}
