// Package json polls a JSON document and takes metrics out of it by path. It
// is called by cmd, which wires it into the poll loop, and by configs, which
// asks the configuration for the metrics that it adds to the catalog. It never
// stores, judges or writes; a path that leads to nothing is a problem of that
// value alone.
package json

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/tidwall/gjson"

	"github.com/tocsin-dev/tocsin/source"
	"github.com/tocsin-dev/tocsin/source/internal/page"
)

const (
	// maxElements bounds what one `each` yields; the rest is a problem.
	maxElements = 1000
	// maxDepth bounds the nesting of a document: gjson descends recursively.
	maxDepth = 200
)

// Source polls one document. It implements source.Source and is not safe for
// concurrent polls, as the loop promises none.
type Source struct {
	cfg        Config
	page       *page.Fetcher
	values     []value
	strategies *path
	startedAt  *path
	rates      source.Rates
	tracker    source.StrategyTracker
}

// value is a Value with its paths parsed and its unit filled in.
type value struct {
	Value
	path   path
	each   *path
	labels map[string]label
}

// label is a fixed text, the element's key, or a path below the element.
type label struct {
	text string
	key  bool
	path *path
}

// New makes a source of a valid configuration.
func New(cfg Config) (*Source, error) {
	fetcher, err := page.New(cfg.URL, cfg.Options, "application/json, */*;q=0.1", int64(cfg.MaxBodyBytes))
	if err != nil {
		return nil, err
	}
	s := &Source{cfg: cfg, page: fetcher}
	for i := range cfg.Values {
		v, err := newValue(cfg.Values[i])
		if err != nil {
			return nil, fmt.Errorf("values[%d]: %w", i, err)
		}
		s.values = append(s.values, v)
	}
	if s.strategies, err = optional(cfg.Strategies.Path); err != nil {
		return nil, fmt.Errorf("strategies.path: %w", err)
	}
	if s.startedAt, err = optional(cfg.StartedAt); err != nil {
		return nil, fmt.Errorf("started_at: %w", err)
	}
	return s, nil
}

func optional(text string) (*path, error) {
	if text == "" {
		return nil, nil
	}
	p, err := parsePath(text)
	return &p, err
}

func newValue(v Value) (value, error) {
	var err error
	out := value{Value: v, labels: map[string]label{}}
	if builtin, ok := source.NewCatalog(nil, false).Lookup(v.Metric); ok {
		out.Unit = builtin.Unit
	}
	if v.Scale == 0 {
		out.Scale = 1
	}
	if out.path, err = parsePath(v.Path); err != nil {
		return out, err
	}
	if out.each, err = optional(v.Each); err != nil {
		return out, err
	}
	for name, text := range v.Labels {
		l := label{text: text, key: text == keyOfElement}
		if !l.key && text != "" && text[0] == '$' {
			if l.path, err = optional(text); err != nil {
				return out, err
			}
		}
		out.labels[name] = l
	}
	return out, nil
}

// Close drops the idle connection.
func (s *Source) Close() error {
	s.page.Close()
	return nil
}

// Poll fetches the document once. Its error is a *source.Fault.
func (s *Source) Poll(ctx context.Context) (source.Reading, error) {
	body, contentType, err := s.page.Get(ctx)
	if err != nil {
		return source.Reading{}, err
	}
	if err := check(body, contentType); err != nil {
		return source.Reading{}, &source.Fault{Kind: source.Garbled, Err: err}
	}
	return s.read(gjson.ParseBytes(body), time.Now()), nil
}

// check refuses what is no JSON document before gjson, which is lenient,
// looks at it.
func check(body []byte, contentType string) error {
	if depth(body) > maxDepth {
		return fmt.Errorf("the document is nested deeper than %d", maxDepth)
	}
	if gjson.ValidBytes(body) {
		return nil
	}
	if media := page.MediaType(contentType); media == "text/html" {
		return errors.New("the page is HTML, not JSON; is the url right?")
	}
	if len(body) == 0 {
		return errors.New("the document is empty")
	}
	return errors.New("the document is not JSON, or it is cut off")
}

// depth counts the brackets that are open at once.
func depth(body []byte) int {
	open, deepest, quoted := 0, 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			open++
			deepest = max(deepest, open)
		case c == '}' || c == ']':
			open--
		}
	}
	return deepest
}

// read takes everything that is configured out of a document.
func (s *Source) read(doc gjson.Result, now time.Time) source.Reading {
	x := extraction{source: s, doc: doc, now: now, counters: map[string]float64{}, values: map[string]float64{}}
	run := x.start()
	for i := range s.values {
		x.value(&s.values[i])
	}
	x.rates(run)
	x.cacheStrategies(run)
	x.facts()
	return x.reading
}

// extraction is one document on its way to a reading.
type extraction struct {
	source   *Source
	doc      gjson.Result
	now      time.Time
	reading  source.Reading
	counters map[string]float64
	pending  []counter
	values   map[string]float64 // of the samples without labels
}

// counter is a value that waits for its rate.
type counter struct {
	key    string
	metric string
	labels []string
	factor float64
}

func (x *extraction) problem(what string, err error) {
	x.reading.Problems = append(x.reading.Problems, source.Problem{Query: what, Err: err})
}

// start reads the application's start time, and returns a name for its run.
func (x *extraction) start() string {
	if x.source.startedAt == nil {
		return ""
	}
	at := x.source.startedAt.in(x.doc)
	started, err := moment(at)
	if !at.Exists() {
		err = errors.New("nothing stands there")
	}
	if err != nil {
		x.problem("started_at "+x.source.startedAt.text, err)
		return ""
	}
	x.reading.StartedAt = started
	return strconv.FormatInt(started.UnixMilli(), 10)
}

// value takes one configured value, or one per element.
func (x *extraction) value(v *value) {
	if v.each == nil {
		x.take(v, x.doc, "")
		return
	}
	list := v.each.in(x.doc)
	if !list.IsArray() && !list.IsObject() {
		x.problem(v.Metric+" "+v.each.text, errors.New("no array or object stands there"))
		return
	}
	count, failed := 0, 0
	var example error
	array := list.IsArray()
	list.ForEach(func(key, element gjson.Result) bool {
		name := key.String()
		if array {
			name = strconv.Itoa(count)
		}
		count++
		if count > maxElements {
			return true
		}
		if err := x.element(v, element, name); err != nil {
			failed++
			example = fmt.Errorf("element %s: %w", clip(name), err)
		}
		return true
	})
	if failed > 0 {
		x.problem(v.Metric+" "+v.path.text, fmt.Errorf("%d of %d elements: %w", failed, count, example))
	}
	if count > maxElements {
		x.problem(v.Metric+" "+v.each.text, fmt.Errorf("%d elements; those after %d were left out", count, maxElements))
	}
}

func (x *extraction) take(v *value, from gjson.Result, key string) {
	if err := x.element(v, from, key); err != nil {
		x.problem(v.Metric+" "+v.path.text, err)
	}
}

func (x *extraction) element(v *value, from gjson.Result, key string) error {
	at := v.path.in(from)
	if !at.Exists() {
		return errors.New("nothing stands there")
	}
	n, err := number(at, v.Unit)
	if err != nil {
		return err
	}
	n *= v.Scale
	if math.IsInf(n, 0) {
		return errors.New("is not a finite number after scale")
	}
	labels := make([]string, 0, 2*len(v.labels))
	for _, name := range slices.Sorted(maps.Keys(v.labels)) {
		labels = append(labels, name, v.labels[name].in(from, key))
	}
	if v.Counter {
		x.count(v, n, labels)
		return nil
	}
	if len(labels) == 0 {
		x.values[v.Metric] = n
	}
	x.reading.Add(v.Metric, n, labels...)
	return nil
}

func (l label) in(element gjson.Result, key string) string {
	switch {
	case l.key:
		return key
	case l.path != nil:
		return l.path.in(element).String()
	}
	return l.text
}
