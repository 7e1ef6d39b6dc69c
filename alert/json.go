package alert

import (
	"math"
	"strconv"
)

// AppendJSON appends the JSON of an alert, byte for byte what encoding/json
// makes of it, at a fraction of the cost: stores and lists write it by the
// hundred thousand. A time outside of the years 0 to 9999, which encoding/json
// refuses, becomes null, which reads as the zero time.
func AppendJSON(b []byte, a *Alert) []byte {
	b = append(b, `{"id":`...)
	b = AppendString(b, a.ID)
	b = append(b, `,"fingerprint":`...)
	b = a.Fingerprint.appendJSON(b)
	if a.Series != 0 {
		b = append(b, `,"series":`...)
		b = a.Series.appendJSON(b)
	}
	b = AppendField(b, `,"rule":`, a.Rule)
	b = AppendField(b, `,"category":`, a.Category)
	b = AppendField(b, `,"metric":`, a.Metric)
	b = AppendField(b, `,"unit":`, a.Unit)
	b = append(b, `,"labels":`...)
	b = a.Labels.AppendJSON(b)
	b = AppendField(b, `,"state":`, string(a.State))
	b = AppendField(b, `,"severity":`, a.Severity.String())
	b = AppendField(b, `,"worst":`, a.Worst.String())
	b = a.Value.appendJSON(append(b, `,"value":`...))
	b = a.Threshold.appendJSON(append(b, `,"threshold":`...))
	b = AppendField(b, `,"verb":`, a.Verb)
	b = a.Peak.appendJSON(append(b, `,"peak":`...))
	b = AppendField(b, `,"message":`, a.Message)
	if len(a.Annotations) > 0 {
		b = AppendMap(append(b, `,"annotations":`...), a.Annotations)
	}
	b = AppendField(b, `,"reason":`, a.Reason)
	b = AppendTime(append(b, `,"pending_at":`...), a.PendingAt)
	b = AppendTime(append(b, `,"starts_at":`...), a.StartsAt)
	b = AppendTime(append(b, `,"ends_at":`...), a.EndsAt)
	b = AppendTime(append(b, `,"updated_at":`...), a.UpdatedAt)
	b = AppendTime(append(b, `,"severity_at":`...), a.SeverityAt)
	if len(a.Samples) > 0 {
		b = append(b, `,"samples":[`...)
		for i := range a.Samples {
			b = AppendTime(append(AppendComma(b, i), `{"at":`...), a.Samples[i].At)
			b = append(a.Samples[i].Value.appendJSON(append(b, `,"value":`...)), '}')
		}
		b = append(b, ']')
	}
	if a.Flap != nil {
		b = a.Flap.appendJSON(append(b, `,"flap":`...))
	}
	b = append(b, `,"levels":[`...)
	for i := range a.Levels {
		b = a.Levels[i].appendJSON(AppendComma(b, i))
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
	b = AppendString(b, n.ID)
	b = AppendField(b, `,"receiver":`, n.Receiver)
	b = AppendField(b, `,"group_key":`, n.GroupKey)
	b = n.GroupLabels.AppendJSON(append(b, `,"group_labels":`...))
	b = strconv.AppendInt(append(b, `,"seq":`...), n.Seq, 10)
	b = AppendField(b, `,"status":`, string(n.Status))
	b = AppendField(b, `,"reason":`, n.Reason)
	b = append(b, `,"alerts":`...)
	if n.Alerts == nil {
		b = append(b, `null`...)
	} else {
		b = append(b, '[')
		for i := range n.Alerts {
			b = AppendJSON(AppendComma(b, i), &n.Alerts[i])
		}
		b = append(b, ']')
	}
	b = strconv.AppendInt(append(b, `,"still_firing":`...), int64(n.StillFiring), 10)
	if !n.Opened.IsZero() {
		b = AppendTime(append(b, `,"opened":`...), n.Opened)
	}
	if n.Digest != nil {
		b = strconv.AppendInt(append(b, `,"digest":{"groups":`...), int64(n.Digest.Groups), 10)
		b = strconv.AppendInt(append(b, `,"alerts":`...), int64(n.Digest.Alerts), 10)
		b = append(b, '}')
	}
	if n.Kind != "" {
		b = AppendField(b, `,"kind":`, string(n.Kind))
	}
	if len(n.Acks) > 0 {
		b = append(b, `,"acks":[`...)
		for i := range n.Acks {
			b = n.Acks[i].appendJSON(AppendComma(b, i))
		}
		b = append(b, ']')
	}
	if n.Quiet {
		b = append(b, `,"quiet":true`...)
	}
	b = strconv.AppendInt(append(b, `,"truncated":`...), int64(n.Truncated), 10)
	b = AppendField(b, `,"external_url":`, n.ExternalURL)
	b = AppendTime(append(b, `,"at":`...), n.At)
	return append(b, '}')
}

func (a *Ack) appendJSON(b []byte) []byte {
	b = AppendString(append(b, `{"alert_id":`...), a.AlertID)
	b = AppendField(b, `,"by":`, a.By)
	if a.Comment != "" {
		b = AppendField(b, `,"comment":`, a.Comment)
	}
	b = AppendTime(append(b, `,"at":`...), a.At)
	b = AppendField(b, `,"severity":`, a.Severity.String())
	if !a.Until.IsZero() {
		b = AppendTime(append(b, `,"until":`...), a.Until)
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
			b = AppendTime(AppendComma(b, i), at)
		}
		b = append(b, ']')
	}
	if !f.Since.IsZero() {
		b = AppendTime(append(b, `,"since":`...), f.Since)
	}
	if f.State != "" {
		b = AppendField(b, `,"state":`, string(f.State))
	}
	if f.Severity != OK {
		b = AppendField(b, `,"severity":`, f.Severity.String())
	}
	return append(b, '}')
}

func (l *Level) appendJSON(b []byte) []byte {
	b = AppendTime(append(b, `{"since":`...), l.Since)
	if !l.Lost.IsZero() {
		b = AppendTime(append(b, `,"lost":`...), l.Lost)
	}
	if l.Polls != 0 {
		b = strconv.AppendUint(append(b, `,"polls":`...), l.Polls, 10)
	}
	return append(b, '}')
}

func (o *Outside) appendJSON(b []byte) []byte {
	b = append(b, '{')
	if o.GeneratorURL != "" {
		b = append(AppendField(b, `"generator_url":`, o.GeneratorURL), ',')
	}
	return append(AppendTime(append(b, `"expires_at":`...), o.ExpiresAt), '}')
}

func (f Fingerprint) appendJSON(b []byte) []byte {
	return append(AppendHex(append(b, '"'), uint64(f)), '"')
}

// AppendJSON appends the set as an object, in the order of the names.
func (l Labels) AppendJSON(b []byte) []byte {
	for i := 1; i < len(l); i++ {
		if l[i-1].Name >= l[i].Name { // not a set as it should be
			return AppendMap(b, l.Map())
		}
	}
	b = append(b, '{')
	for i := range l {
		b = append(AppendString(AppendComma(b, i), l[i].Name), ':')
		b = AppendString(b, l[i].Value)
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
