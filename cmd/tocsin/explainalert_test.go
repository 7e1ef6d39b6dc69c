package main

import "testing"

// A receiver may be called what stands in any sentence: it is named all the same.
func TestAReceiverIsNamedAsAWholeWord(t *testing.T) {
	for _, row := range []struct {
		text, name string
		want       bool
	}{
		{"told am: sent in 3ms", "am", true},
		{`grouped as {}:{alertname="x"}, to be sent in 2s`, "am", false},
		{"queued for ops: new alert", "ops", true},
		{"queued for ops-2: new alert", "ops", false},
		{"devops told ops", "ops", true},
		{"", "ops", false},
	} {
		if got := namesReceiver(row.text, row.name); got != row.want {
			t.Errorf("%q names %q: %v", row.text, row.name, got)
		}
	}
}
