package webhook

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// cloudEventsType is the media type of a CloudEvent in JSON.
const cloudEventsType = "application/cloudevents+json"

// cloudEvent is a CloudEvent 1.0 in structured mode: the attributes, one
// extension (severity), and as data what format standard has.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
type cloudEvent struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"` // the notification's, the same over retries
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject,omitempty"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	// Severity lets a broker filter by it: the worst that fires, or did.
	Severity string    `json:"severity"`
	Data     eventData `json:"data"`
}

func cloudEventOf(n *alert.Notification) cloudEvent {
	e := cloudEvent{
		SpecVersion: "1.0", ID: n.ID, Source: n.ExternalURL, Type: "dev.tocsin.notification." + about(n), Subject: n.GroupKey,
		Time: n.At.UTC(), DataContentType: jsonType, Severity: n.Severity().String(), Data: dataOf(n),
	}
	if e.Source == "" {
		e.Source = "urn:tocsin" // it must not be empty, and Tocsin does not know its own URL
	}
	return e
}

// header are the attributes as binary mode has them.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
func (e *cloudEvent) header() http.Header {
	h := http.Header{}
	for name, value := range map[string]string{
		"specversion": e.SpecVersion, "id": e.ID, "source": e.Source, "type": e.Type, "subject": e.Subject,
		"time": e.Time.Format(time.RFC3339Nano), "severity": e.Severity,
	} {
		if value != "" {
			h.Set("Ce-"+name, percentEncoded(value))
		}
	}
	return h
}

// percentEncoded writes what a header cannot hold as the binding says: space,
// double quote, percent and all that is not printable ASCII.
func percentEncoded(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
