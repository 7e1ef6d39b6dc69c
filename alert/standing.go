package alert

// Standing is an active alert and how it stands with the router.
type Standing struct {
	Alert     Alert
	Receivers []string // that its routes name, each once
	// What holds it back; all empty when nothing does. InhibitedBy are the
	// fingerprints of the alerts that do, MutedBy names of time intervals and
	// maintenance windows.
	SilencedBy  []string
	InhibitedBy []Fingerprint
	MutedBy     []string
	Ack         *Ack // nil for none
}

// Suppressed says whether a silence or another alert holds it back.
func (s *Standing) Suppressed() bool { return len(s.SilencedBy)+len(s.InhibitedBy) > 0 }

// StandingQuery selects active alerts.
type StandingQuery struct {
	Matchers Matchers
	Receiver func(name string) bool // one of its receivers must be such; nil for any
	// Without leaves out what is held back so, or not held back at all.
	WithoutActive, WithoutSilenced, WithoutInhibited, WithoutMuted bool
}

// StandingGroup is a notification group as one receiver is told of it.
type StandingGroup struct {
	Key      string // see Notification
	Labels   Labels
	Receiver string
	MutedBy  []string
	Alerts   []*Standing
}
