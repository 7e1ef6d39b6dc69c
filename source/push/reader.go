package push

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/source"
)

// BadDocument is a pushed document that was refused, whole, with every mistake
// at its field. The client may read it.
type BadDocument struct{ Problems problem.List }

// Error tells the mistakes, each with its path: strategies.USER.hits: ….
func (b *BadDocument) Error() string {
	texts := make([]string, len(b.Problems))
	for i := range b.Problems {
		texts[i] = b.Problems[i].Error()
	}
	return strings.Join(texts, "; ")
}

// BadRequest says that the client caused the error and may read it.
func (b *BadDocument) BadRequest() bool { return true }

func bad(path, format string, args ...any) *BadDocument {
	b := &BadDocument{}
	b.Problems.Add(path, format, args...)
	return b
}

// reader collects what is wrong with a document, up to maxProblems.
type reader struct {
	now      time.Time
	problems problem.List
	values   int
	catalog  *source.Catalog
}

// document reads the outermost object.
func (r *reader) document(body []byte) (*object, bool) {
	var raw json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			r.problems.Add("", "not JSON: %s, at byte %d", syntax, syntax.Offset)
		} else {
			r.problems.Add("", "not JSON")
		}
		return nil, false
	}
	return r.object("", raw)
}

func (r *reader) object(path string, raw json.RawMessage) (*object, bool) {
	o := &object{r: r, path: path, fields: map[string]json.RawMessage{}}
	if kind(raw) != "an object" || json.Unmarshal(raw, &o.fields) != nil {
		r.add(path, "", "want an object, not %s", kind(raw))
		return nil, false
	}
	return o, true
}

func (r *reader) add(path, hint, format string, args ...any) {
	if len(r.problems) < maxProblems {
		r.problems.AddHint(path, hint, format, args...)
	}
}

// kind says what a value is, for people.
func kind(raw json.RawMessage) string {
	switch raw = bytes.TrimSpace(raw); {
	case len(raw) == 0:
		return "nothing"
	case raw[0] == '{':
		return "an object"
	case raw[0] == '[':
		return "an array"
	case raw[0] == '"':
		return "a string"
	case raw[0] == 't', raw[0] == 'f':
		return "a boolean"
	case raw[0] == 'n':
		return "null"
	}
	return "a number"
}

// object is a JSON object on its way to be read. Each method takes one field;
// a field that is null is one that is not there. done reports the fields that
// nobody took.
type object struct {
	r      *reader
	path   string
	fields map[string]json.RawMessage
	asked  []string
}

func (o *object) problem(field, format string, args ...any) {
	o.r.add(problem.Join(o.path, field), "", format, args...)
}

func (o *object) take(field string) (json.RawMessage, bool) {
	o.asked = append(o.asked, field)
	raw, ok := o.fields[field]
	return raw, ok && kind(raw) != "null"
}

// done reports unknown fields.
func (o *object) done() {
	for _, name := range slices.Sorted(maps.Keys(o.fields)) {
		if !slices.Contains(o.asked, name) {
			o.r.add(problem.Join(o.path, clip(name)), problem.DidYouMean(clip(name), o.asked), "unknown field")
		}
	}
}

func (o *object) object(field string) *object {
	raw, ok := o.take(field)
	if !ok {
		return nil
	}
	child, ok := o.r.object(problem.Join(o.path, field), raw)
	if !ok {
		return nil
	}
	return child
}

// list takes an array of objects.
func (o *object) list(field string, most int) ([]*object, bool) {
	raw, ok := o.take(field)
	if !ok {
		return nil, false
	}
	path := problem.Join(o.path, field)
	var items []json.RawMessage
	if kind(raw) != "an array" || json.Unmarshal(raw, &items) != nil {
		o.r.add(path, "", "want an array, not %s", kind(raw))
		return nil, false
	}
	if len(items) > most {
		o.r.add(path, "", "holds %d items, more than %d", len(items), most)
		return nil, false
	}
	objects := make([]*object, 0, len(items))
	for i, item := range items {
		if child, ok := o.r.object(fmt.Sprintf("%s[%d]", path, i), item); ok {
			objects = append(objects, child)
		}
	}
	return objects, true
}

// names lists the fields of an object whose names are free.
func (o *object) names(most int) []string {
	if len(o.fields) > most {
		o.r.add(o.path, "", "holds %d names, more than %d", len(o.fields), most)
		return nil
	}
	return slices.Sorted(maps.Keys(o.fields))
}

func (o *object) text(field string, most int) string {
	s := o.textUpTo(field, math.MaxInt)
	if len(s) > most {
		o.problem(field, "is longer than %d bytes", most)
		return ""
	}
	return s
}

// textUpTo cuts what is longer.
func (o *object) textUpTo(field string, most int) string {
	raw, ok := o.take(field)
	if !ok {
		return ""
	}
	var s string
	if kind(raw) != "a string" || json.Unmarshal(raw, &s) != nil {
		o.problem(field, "want a string, not %s", kind(raw))
		return ""
	}
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

func (o *object) number(field string) *float64 {
	raw, ok := o.take(field)
	if !ok {
		return nil
	}
	if kind(raw) != "a number" {
		o.problem(field, "want a number, not %s", kind(raw))
		return nil
	}
	v, err := strconv.ParseFloat(string(bytes.TrimSpace(raw)), 64)
	if err != nil || math.IsInf(v, 0) {
		o.problem(field, "the number is too large")
		return nil
	}
	o.r.values++
	return &v
}

func (o *object) positive(field string) *float64 {
	v := o.number(field)
	if v != nil && *v < 0 {
		o.problem(field, "must not be negative")
		return nil
	}
	return v
}

// count takes a whole number from 0 to 2^53, up to which a float64 counts.
func (o *object) count(field string) *float64 {
	v := o.positive(field)
	if v != nil && (*v != math.Trunc(*v) || *v > 1<<53) {
		o.problem(field, "want a whole number")
		return nil
	}
	return v
}

// moment takes a time: RFC 3339, or unix seconds or milliseconds.
func (o *object) moment(field string) time.Time {
	raw, ok := o.take(field)
	if !ok {
		return time.Time{}
	}
	const farSeconds = 1e11 // the year 5138; in milliseconds 1973
	var text string
	switch kind(raw) {
	case "a string":
		if json.Unmarshal(raw, &text) == nil {
			if at, err := time.Parse(time.RFC3339, text); err == nil && at.Year() > 1970 {
				return at.UTC()
			}
		}
	case "a number":
		n, err := strconv.ParseFloat(string(bytes.TrimSpace(raw)), 64)
		switch {
		case err != nil || n <= 0 || n >= farSeconds*1000:
		case n < farSeconds:
			return time.UnixMilli(int64(n * 1000)).UTC()
		default:
			return time.UnixMilli(int64(n)).UTC()
		}
	}
	o.problem(field, "want a time, as 2024-01-15T10:00:00Z or in unix seconds or milliseconds")
	return time.Time{}
}

func (o *object) checkTime(field string, at time.Time) {
	switch {
	case at.After(o.r.now.Add(newest)):
		o.problem(field, "is more than 10 minutes in the future")
	case at.Before(o.r.now.Add(-oldest)):
		o.problem(field, "is older than an hour")
	}
}

// labels takes an object of strings.
func (o *object) labels(field string) alert.Labels {
	all := o.object(field)
	if all == nil {
		return nil
	}
	names := all.names(maxLabels)
	set := make(map[string]string, len(names))
	for _, name := range names {
		switch {
		case len(name) > maxNameBytes || !labelName.MatchString(name):
			all.problem(clip(name), "is not a label's name")
		case name == alert.LabelSource, name == alert.LabelName, name == alert.LabelSeverity, name == alert.LabelCategory:
			all.problem(name, "this label is set by Tocsin")
		}
		set[name] = all.text(name, maxLabelBytes)
	}
	return alert.FromMap(set)
}

func (o *object) checkName(name string) {
	if name == "" || len(name) > maxNameBytes {
		o.problem(clip(name), "a name has 1 to %d bytes", maxNameBytes)
	}
}

// checkMetric judges a metric's name where the name is the field.
func (o *object) checkMetric(name string, counter bool) {
	o.checkMetricAt(clip(name), name, counter)
}

// checkMetricAt judges a metric's name: one of the catalog in its right place,
// or one of the application's own, which has no dot.
func (o *object) checkMetricAt(field, name string, counter bool) {
	if len(o.r.problems) >= maxProblems {
		return
	}
	if o.r.catalog == nil {
		catalog := source.NewCatalog(nil, false)
		o.r.catalog = &catalog
	}
	path := problem.Join(o.path, field)
	metric, known := o.r.catalog.Lookup(name)
	first, _, dotted := strings.Cut(name, ".")
	switch {
	case len(name) > maxNameBytes || !metricName.MatchString(name):
		o.r.add(path, "", "%q is not a metric's name", clip(name))
	case first == "source" && dotted:
		o.r.add(path, "", "source.* are the daemon's own")
	case known && counter && !isRate(metric.Unit):
		o.r.add(path, "write it under metrics", "%s is no rate, so no counter makes it", name)
	case !known && dotted && o.reserved(first):
		o.r.add(path, problem.DidYouMean(name, o.r.catalog.Names()), "no metric %q in the catalog, whose %s.* are reserved", name, first)
	case !known && dotted:
		o.r.add(path, "write "+strings.ReplaceAll(name, ".", "_"), "a metric of one's own has no dot")
	}
}

func (o *object) reserved(first string) bool {
	return slices.ContainsFunc(o.r.catalog.Names(), func(name string) bool { return strings.HasPrefix(name, first+".") })
}

func isRate(unit string) bool { return unit == "/s" || unit == "/min" || unit == "bytes/s" }

var (
	metricName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_:]*(\.[a-zA-Z0-9_:]+)*$`)
	labelName  = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
)

// clip shortens what a client sent, for an answer.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
