package alert

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendJSON appends the JSON of an alert, byte for byte what encoding/json
// makes of it, at a fraction of the cost: stores and lists write it by the
// hundred thousand. A time outside of the years 0 to 9999, which encoding/json
// refuses, becomes null, which reads as the zero time.
func AppendJSON(b []byte, a *Alert) []byte {
	b = append(b, `{"id":`...)
	b = appendText(b, a.ID)
	b = append(b, `,"fingerprint":`...)
	b = a.Fingerprint.appendJSON(b)
	if a.Series != 0 {
		b = append(b, `,"series":`...)
		b = a.Series.appendJSON(b)
	}
	b = appendField(b, `,"rule":`, a.Rule)
	b = appendField(b, `,"category":`, a.Category)
	b = appendField(b, `,"metric":`, a.Metric)
	b = appendField(b, `,"unit":`, a.Unit)
	b = append(b, `,"labels":`...)
	b = a.Labels.appendJSON(b)
	b = appendField(b, `,"state":`, string(a.State))
	b = appendField(b, `,"severity":`, a.Severity.String())
	b = appendField(b, `,"worst":`, a.Worst.String())
	b = a.Value.appendJSON(append(b, `,"value":`...))
	b = a.Threshold.appendJSON(append(b, `,"threshold":`...))
	b = appendField(b, `,"verb":`, a.Verb)
	b = a.Peak.appendJSON(append(b, `,"peak":`...))
	b = appendField(b, `,"message":`, a.Message)
	if len(a.Annotations) > 0 {
		b = appendTexts(append(b, `,"annotations":`...), a.Annotations)
	}
	b = appendField(b, `,"reason":`, a.Reason)
	b = appendTime(append(b, `,"pending_at":`...), a.PendingAt)
	b = appendTime(append(b, `,"starts_at":`...), a.StartsAt)
	b = appendTime(append(b, `,"ends_at":`...), a.EndsAt)
	b = appendTime(append(b, `,"updated_at":`...), a.UpdatedAt)
	b = appendTime(append(b, `,"severity_at":`...), a.SeverityAt)
	if len(a.Samples) > 0 {
		b = append(b, `,"samples":[`...)
		for i := range a.Samples {
			b = appendTime(append(comma(b, i), `{"at":`...), a.Samples[i].At)
			b = append(a.Samples[i].Value.appendJSON(append(b, `,"value":`...)), '}')
		}
		b = append(b, ']')
	}
	if a.Flap != nil {
		b = a.Flap.appendJSON(append(b, `,"flap":`...))
	}
	b = append(b, `,"levels":[`...)
	for i := range a.Levels {
		b = a.Levels[i].appendJSON(comma(b, i))
	}
	b = append(b, ']')
	if a.Outside != nil {
		b = a.Outside.appendJSON(append(b, `,"outside":`...))
	}
	return append(b, '}')
}

// MarshalJSON writes what AppendJSON does.
func (a Alert) MarshalJSON() ([]byte, error) { return AppendJSON(make([]byte, 0, 1024), &a), nil }

// AppendNotificationJSON does the same for a notification.
func AppendNotificationJSON(b []byte, n *Notification) []byte {
	b = append(b, `{"id":`...)
	b = appendText(b, n.ID)
	b = appendField(b, `,"receiver":`, n.Receiver)
	b = appendField(b, `,"group_key":`, n.GroupKey)
	b = n.GroupLabels.appendJSON(append(b, `,"group_labels":`...))
	b = strconv.AppendInt(append(b, `,"seq":`...), n.Seq, 10)
	b = appendField(b, `,"status":`, string(n.Status))
	b = appendField(b, `,"reason":`, n.Reason)
	b = append(b, `,"alerts":`...)
	if n.Alerts == nil {
		b = append(b, `null`...)
	} else {
		b = append(b, '[')
		for i := range n.Alerts {
			b = AppendJSON(comma(b, i), &n.Alerts[i])
		}
		b = append(b, ']')
	}
	b = strconv.AppendInt(append(b, `,"still_firing":`...), int64(n.StillFiring), 10)
	if !n.Opened.IsZero() {
		b = appendTime(append(b, `,"opened":`...), n.Opened)
	}
	if n.Digest != nil {
		b = strconv.AppendInt(append(b, `,"digest":{"groups":`...), int64(n.Digest.Groups), 10)
		b = strconv.AppendInt(append(b, `,"alerts":`...), int64(n.Digest.Alerts), 10)
		b = append(b, '}')
	}
	if n.Kind != "" {
		b = appendField(b, `,"kind":`, string(n.Kind))
	}
	if len(n.Acks) > 0 {
		b = append(b, `,"acks":[`...)
		for i := range n.Acks {
			b = n.Acks[i].appendJSON(comma(b, i))
		}
		b = append(b, ']')
	}
	if n.Quiet {
		b = append(b, `,"quiet":true`...)
	}
	b = strconv.AppendInt(append(b, `,"truncated":`...), int64(n.Truncated), 10)
	b = appendField(b, `,"external_url":`, n.ExternalURL)
	b = appendTime(append(b, `,"at":`...), n.At)
	return append(b, '}')
}

func (a *Ack) appendJSON(b []byte) []byte {
	b = appendText(append(b, `{"alert_id":`...), a.AlertID)
	b = appendField(b, `,"by":`, a.By)
	if a.Comment != "" {
		b = appendField(b, `,"comment":`, a.Comment)
	}
	b = appendTime(append(b, `,"at":`...), a.At)
	b = appendField(b, `,"severity":`, a.Severity.String())
	if !a.Until.IsZero() {
		b = appendTime(append(b, `,"until":`...), a.Until)
	}
	return append(b, '}')
}

func (f *Flap) appendJSON(b []byte) []byte {
	b = append(b, `{"changes":`...)
	if f.Changes == nil {
		b = append(b, `null`...)
	} else {
		b = append(b, '[')
		for i, at := range f.Changes {
			b = appendTime(comma(b, i), at)
		}
		b = append(b, ']')
	}
	if !f.Since.IsZero() {
		b = appendTime(append(b, `,"since":`...), f.Since)
	}
	if f.State != "" {
		b = appendField(b, `,"state":`, string(f.State))
	}
	if f.Severity != OK {
		b = appendField(b, `,"severity":`, f.Severity.String())
	}
	return append(b, '}')
}

func (l *Level) appendJSON(b []byte) []byte {
	b = appendTime(append(b, `{"since":`...), l.Since)
	if !l.Lost.IsZero() {
		b = appendTime(append(b, `,"lost":`...), l.Lost)
	}
	if l.Polls != 0 {
		b = strconv.AppendUint(append(b, `,"polls":`...), l.Polls, 10)
	}
	return append(b, '}')
}

func (o *Outside) appendJSON(b []byte) []byte {
	b = append(b, '{')
	if o.GeneratorURL != "" {
		b = append(appendField(b, `"generator_url":`, o.GeneratorURL), ',')
	}
	return append(appendTime(append(b, `"expires_at":`...), o.ExpiresAt), '}')
}

func (f Fingerprint) appendJSON(b []byte) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, hex[f>>shift&15])
	}
	return append(b, '"')
}

// appendJSON writes the set as an object, in the order of the names.
func (l Labels) appendJSON(b []byte) []byte {
	for i := 1; i < len(l); i++ {
		if l[i-1].Name >= l[i].Name { // not a set as it should be
			return appendTexts(b, l.Map())
		}
	}
	b = append(b, '{')
	for i := range l {
		b = append(appendText(comma(b, i), l[i].Name), ':')
		b = appendText(b, l[i].Value)
	}
	return append(b, '}')
}

// appendJSON writes a number as encoding/json does, which is as ES6 does: with
// an exponent when it is very small or very large.
func (n Number) appendJSON(b []byte) []byte {
	if !n.Known() {
		return append(b, `null`...)
	}
	f, format := float64(n), byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	b = strconv.AppendFloat(b, f, format, -1, 64)
	if n := len(b); format == 'e' && n >= 4 && b[n-4] == 'e' && (b[n-3] == '-' || b[n-3] == '+') && b[n-2] == '0' {
		b[n-2] = b[n-1] // e-09 is e-9
		b = b[:n-1]
	}
	return b
}

func appendTime(b []byte, t time.Time) []byte {
	year := t.Year()
	if _, offset := t.Zone(); year < 0 || year > 9999 || offset <= -24*3600 || offset >= 24*3600 {
		return append(b, `null`...)
	}
	b = append(b, '"')
	return append(t.AppendFormat(b, time.RFC3339Nano), '"')
}

func comma(b []byte, i int) []byte {
	if i > 0 {
		return append(b, ',')
	}
	return b
}

func appendField(b []byte, name, text string) []byte { return appendText(append(b, name...), text) }

func appendTexts(b []byte, m map[string]string) []byte {
	b = append(b, '{')
	for i, name := range slices.Sorted(maps.Keys(m)) {
		b = append(appendText(comma(b, i), name), ':')
		b = appendText(b, m[name])
	}
	return append(b, '}')
}

// appendText quotes as encoding/json does: what HTML or JavaScript would take
// for its own is escaped, and a byte that is not UTF-8 replaced.
func appendText(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' {
				i++
				continue
			}
			b = append(b, s[from:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\b':
				b = append(b, '\\', 'b')
			case '\f':
				b = append(b, '\\', 'f')
			case '\n':
				b = append(b, '\\', 'n')
			case '\r':
				b = append(b, '\\', 'r')
			case '\t':
				b = append(b, '\\', 't')
			default:
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			from = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(append(b, s[from:i]...), `\ufffd`...)
			from = i + size
		case r == '\u2028' || r == '\u2029':
			b = append(append(b, s[from:i]...), `\u202`...)
			b = append(b, hex[r&15])
			from = i + size
		}
		i += size
	}
	return append(append(b, s[from:]...), '"')
}
