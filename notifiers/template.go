package notifiers

import (
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"reflect"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/templating"
)

// MaxTextBytes bounds what one template may write; 5,000 alerts take about 5 MB.
const MaxTextBytes = 32 << 20

// Text is a template that an operator gives a receiver in place of a text of
// its own: Go's text/template over Data, with the functions of Functions. The
// zero value is none. It is read from a configuration as it stands; Check tells
// its mistakes. It is safe for concurrent use.
type Text struct {
	source string
	html   bool
	parsed executor
}

type executor interface {
	Execute(w io.Writer, data any) error
}

// TextFrom returns a template that Check has not seen yet.
func TextFrom(source string) Text { return Text{source: source} }

// HTML is a Text that writes HTML: what it is given is escaped by its place, as
// html/template does.
type HTML struct{ Text }

// FromScalar reads the template from a configuration. A mistake in it is told
// by Check, which knows its place.
func (t *Text) FromScalar(text string) error {
	*t = Text{source: text}
	return nil
}

// FromScalar reads the template from a configuration.
func (t *HTML) FromScalar(text string) error {
	t.Text = Text{source: text, html: true}
	return nil
}

// ScalarSchema says which texts FromScalar takes.
func (Text) ScalarSchema() map[string]any { return map[string]any{} }

// Empty says whether there is no template.
func (t *Text) Empty() bool { return strings.TrimSpace(t.source) == "" }

// String returns the template.
func (t Text) String() string { return t.source }

func (t *Text) parse() error {
	var trees []*parse.Tree
	bounded := templating.Bounded(MaxTextBytes) // those of text/template that could fill the memory
	if t.html {
		parsed, err := htmltemplate.New("template").Option("missingkey=zero").Funcs(bounded).Funcs(Functions()).Parse(t.source)
		if err != nil {
			return err
		}
		for _, one := range parsed.Templates() {
			trees = append(trees, one.Tree)
		}
		t.parsed = parsed
		return templating.Counts(trees...)
	}
	parsed, err := template.New("template").Option("missingkey=zero").Funcs(bounded).Funcs(Functions()).Parse(t.source)
	if err != nil {
		return err
	}
	for _, one := range parsed.Templates() {
		trees = append(trees, one.Tree)
	}
	t.parsed = parsed
	return templating.Counts(trees...)
}

// Check parses the template and tries it on samples, so that a mistake shows
// when the configuration is loaded and not in the night it is needed: with its
// place in the text, and with what was likely meant. A text without a template
// is right.
func (t *Text) Check(path string) problem.List {
	if t.Empty() {
		return nil
	}
	err := t.parse()
	for _, n := range Samples() {
		if err != nil {
			break
		}
		_, err = t.Render(&n)
	}
	if err != nil {
		return problem.List{templating.Problem(path, t.source, err, templateNames())}
	}
	return nil
}

// Samples are the notifications that a template is tried on: of alerts that
// fire and that are resolved, of an alert from outside, which has no rule and no
// value, a digest, and a test. The texts have quotes and line breaks in them, as
// real ones do.
func Samples() []alert.Notification {
	firing, resolved := Sample(alert.Firing, 2), Sample(alert.Resolved, 2)
	firing.Alerts[0].Message += " \"quoted\",\non two lines"
	outside := Sample(alert.Firing, 1)
	a := &outside.Alerts[0]
	outside.Alerts = []alert.Alert{{
		ID: a.ID, Fingerprint: a.Fingerprint, Labels: a.Labels, State: alert.Firing, StartsAt: a.StartsAt, Severity: alert.Info,
		Value: alert.Unknown(), Threshold: alert.Unknown(), Peak: alert.Unknown(), Outside: &alert.Outside{},
	}}
	digest := Sample(alert.Firing, 2)
	digest.GroupKey, digest.GroupLabels, digest.Digest = "", nil, &alert.Digest{Groups: 2, Alerts: 2}
	return []alert.Notification{firing, resolved, outside, digest, Test(firing.Receiver, firing.ExternalURL, firing.ID, firing.At)}
}

func templateNames() templating.Names {
	return templating.Names{
		Types:     []reflect.Type{reflect.TypeFor[Data](), reflect.TypeFor[DataAlert]()},
		Functions: Functions(),
	}
}

// Render writes what the template makes of a notification. A panic in it is an
// error, for its receiver's own text is to take its place.
func (t *Text) Render(n *alert.Notification) (text string, err error) {
	if t.parsed == nil {
		return "", errors.New("the template was not parsed")
	}
	defer func() {
		if caught := recover(); caught != nil {
			text, err = "", fmt.Errorf("the template panicked: %v", caught)
		}
	}()
	out := templating.Limited{Limit: MaxTextBytes}
	if err := t.parsed.Execute(&out, NewData(n)); err != nil {
		return "", err
	}
	return out.String(), nil
}

// Texts renders the texts of one message. A template that fails, which its
// samples did not show, gives way to the receiver's own text, for somebody must
// be told; Failed says so, in the delivery's attempts and in the log.
type Texts struct {
	n      *alert.Notification
	failed []string
}

// TextsOf begins the message of a notification.
func TextsOf(n *alert.Notification) *Texts { return &Texts{n: n} }

// Text returns what the template writes, or what otherwise does where there is
// none or it fails. name is the setting's.
func (x *Texts) Text(name string, t *Text, otherwise func() string) string {
	if t.Empty() {
		return otherwise()
	}
	out, err := t.Render(x.n)
	if err != nil {
		x.failed = append(x.failed, fmt.Sprintf("the template %s failed and the default was sent: %s", name, Plain(err.Error())))
		return otherwise()
	}
	return out
}

// Failed says which templates failed; empty for none. It belongs into
// Receipt.Note.
func (x *Texts) Failed() string { return strings.Join(slices.Compact(x.failed), "; ") }
