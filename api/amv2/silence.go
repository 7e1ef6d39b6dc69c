package amv2

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/tocsin-dev/tocsin/alert"
)

// postableSilence is a silence as it is posted; what is required is a pointer.
type postableSilence struct {
	ID        string    `json:"id"`
	Matchers  []matcher `json:"matchers"`
	StartsAt  *dateTime `json:"startsAt"`
	EndsAt    *dateTime `json:"endsAt"`
	CreatedBy *string   `json:"createdBy"`
	Comment   *string   `json:"comment"`
	// Read and not kept.
	Annotations map[string]string `json:"annotations"`
}

type matcher struct {
	IsEqual *bool   `json:"isEqual"`
	IsRegex *bool   `json:"isRegex"`
	Name    *string `json:"name"`
	Value   *string `json:"value"`
}

// DecodeSilence reads the body of POST /api/v2/silences. A silence without a
// beginning begins now. The error is a *Refusal.
func DecodeSilence(body string, now time.Time) (alert.Silence, error) {
	var p postableSilence
	if err := decodeOne(body, "silence", &p); err != nil {
		return alert.Silence{}, err
	}
	if err := p.complete(); err != nil {
		return alert.Silence{}, err
	}
	s := alert.Silence{ID: p.ID, StartsAt: p.StartsAt.UTC(), EndsAt: p.EndsAt.UTC(), CreatedBy: *p.CreatedBy, Comment: *p.Comment}
	switch {
	case !s.StartsAt.Before(s.EndsAt):
		return s, BadRequest("Failed to create silence: start time must be before end time")
	case s.EndsAt.Before(now):
		return s, BadRequest("Failed to create silence: end time can't be in the past")
	}
	if s.StartsAt.IsZero() {
		s.StartsAt = now
	}
	for i, given := range p.Matchers {
		m, err := given.matcher()
		if err != nil {
			return s, BadRequest(fmt.Sprintf("invalid silence: invalid label matcher %d in set 0: %s", i, err))
		}
		s.Matchers = append(s.Matchers, m)
	}
	if s.Matchers.Unbounded() {
		return s, BadRequest("invalid silence: matcher set 0: at least one matcher must not match the empty string")
	}
	return s, nil
}

// complete holds the silence against the schema, in the order of go-swagger.
func (p *postableSilence) complete() error {
	required := func(field string) error { return unprocessable(codeRequired, field+" in body is required") }
	switch {
	case p.Comment == nil:
		return required("comment")
	case p.CreatedBy == nil:
		return required("createdBy")
	case p.EndsAt == nil:
		return required("endsAt")
	case p.Matchers == nil:
		return required("matchers")
	case len(p.Matchers) == 0:
		return unprocessable(codeTooFewItems, "matchers in body should have at least 1 items")
	}
	for i, m := range p.Matchers {
		prefix := "matchers." + strconv.Itoa(i) + "."
		switch {
		case m.IsRegex == nil:
			return required(prefix + "isRegex")
		case m.Name == nil:
			return required(prefix + "name")
		case m.Value == nil:
			return required(prefix + "value")
		}
	}
	if p.StartsAt == nil {
		return required("startsAt")
	}
	return nil
}

func (m *matcher) matcher() (alert.Matcher, error) {
	equal := m.IsEqual == nil || *m.IsEqual
	op := alert.MatchEqual
	switch {
	case *m.IsRegex && equal:
		op = alert.MatchRegexp
	case *m.IsRegex:
		op = alert.MatchNotRegexp
	case !equal:
		op = alert.MatchNotEqual
	}
	if *m.Name == "" || !utf8.ValidString(*m.Name) {
		return alert.Matcher{}, fmt.Errorf("invalid label name %q", *m.Name)
	}
	made, err := alert.NewMatcher(*m.Name, op, *m.Value)
	if err != nil {
		if _, alone := regexp.Compile(*m.Value); alone != nil {
			err = alone
		}
		return made, fmt.Errorf("invalid regular expression %q: %w", *m.Value, err)
	}
	return made, nil
}

// Silence is a silence as it is shown.
type Silence struct {
	ID        string        `json:"id"`
	Status    silenceStatus `json:"status"`
	UpdatedAt string        `json:"updatedAt"`
	Comment   string        `json:"comment"`
	CreatedBy string        `json:"createdBy"`
	EndsAt    string        `json:"endsAt"`
	Matchers  []shown       `json:"matchers"`
	StartsAt  string        `json:"startsAt"`
}

// MarshalJSON escapes <, > and & whatever the encoder is told, as Alertmanager
// does for silences and alerts and not for the rest.
func (s Silence) MarshalJSON() ([]byte, error) {
	type plain Silence
	return json.Marshal(plain(s))
}

type silenceStatus struct {
	State alert.SilenceState `json:"state"`
}

type shown struct {
	IsEqual bool   `json:"isEqual"`
	IsRegex bool   `json:"isRegex"`
	Name    string `json:"name"`
	Value   string `json:"value"`
}

// SilenceOf shows a silence as it stands at a moment.
func SilenceOf(s *alert.Silence, now time.Time) Silence {
	out := Silence{
		ID: s.ID, Status: silenceStatus{s.State(now)}, UpdatedAt: s.UpdatedAt.UTC().Format(timeLayout),
		Comment: s.Comment, CreatedBy: s.CreatedBy, Matchers: make([]shown, len(s.Matchers)),
		StartsAt: s.StartsAt.UTC().Format(timeLayout), EndsAt: s.EndsAt.UTC().Format(timeLayout),
	}
	for i, m := range s.Matchers {
		out.Matchers[i] = shown{
			Name: m.Name, Value: m.Value,
			IsEqual: m.Op == alert.MatchEqual || m.Op == alert.MatchRegexp,
			IsRegex: m.Op == alert.MatchRegexp || m.Op == alert.MatchNotRegexp,
		}
	}
	return out
}

// SilenceQuery selects silences.
type SilenceQuery struct {
	// Matchers must all be among the silence's own, as they are written.
	Matchers                 alert.Matchers
	Active, Pending, Expired bool
}

// Silences shows those that the query selects: the active ones first, by their
// end, then the pending ones by their beginning, then those that expired, the
// last first.
func Silences(all []alert.Silence, q SilenceQuery, now time.Time) []Silence {
	var byState [3][]*alert.Silence
	for i := range all {
		s := &all[i]
		at := slices.Index([]alert.SilenceState{alert.SilenceActive, alert.SilencePending, alert.SilenceExpired}, s.State(now))
		if [...]bool{q.Active, q.Pending, q.Expired}[at] && has(s.Matchers, q.Matchers) {
			byState[at] = append(byState[at], s)
		}
	}
	slices.SortStableFunc(byState[0], func(a, b *alert.Silence) int { return a.EndsAt.Compare(b.EndsAt) })
	slices.SortStableFunc(byState[1], func(a, b *alert.Silence) int { return a.StartsAt.Compare(b.StartsAt) })
	slices.SortStableFunc(byState[2], func(a, b *alert.Silence) int { return b.EndsAt.Compare(a.EndsAt) })
	out := make([]Silence, 0, len(all))
	for _, s := range slices.Concat(byState[:]...) {
		out = append(out, SilenceOf(s, now))
	}
	return out
}

func has(own, wanted alert.Matchers) bool {
	for _, w := range wanted {
		if !slices.ContainsFunc(own, func(m alert.Matcher) bool { return m.Name == w.Name && m.Op == w.Op && m.Value == w.Value }) {
			return false
		}
	}
	return true
}

// IsID says whether a text is a UUID, which the ids of Alertmanager's silences
// are.
func IsID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c < '0' || c > '9' && c < 'A' || c > 'F' && c < 'a' || c > 'f':
			return false
		}
	}
	return true
}

// NotAnID refuses a path.
func NotAnID(s string) *Refusal {
	return unprocessable(codeInvalidType, fmt.Sprintf("silenceID in path must be of type uuid: %q", s))
}
