package external

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tocsin-dev/tocsin/alert"
)

func TestTextsComeBackWhateverTheTableHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSymbols()
		some := rapid.OneOf(rapid.SampledFrom([]string{"", "a", "job", "instance", strings.Repeat("x", maxSymbolLen+1)}), rapid.String())
		texts := rapid.SliceOfN(some, 1, 50).Draw(t, "texts")
		var written []byte
		for _, text := range texts {
			written = s.append(written, text)
		}
		rest := string(written)
		for _, text := range texts {
			var got string
			if got, rest = s.cut(rest, nil); got != text {
				t.Fatalf("%q comes back as %q", text, got)
			}
		}
		if rest != "" {
			t.Fatalf("%q is left", rest)
		}
	})
}

func TestTextsAboutLabelsComeBack(t *testing.T) {
	all := newSymbols()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom([]*symbols{all, newSymbols()}).Draw(t, "symbols")
		text := rapid.SampledFrom([]string{
			"", "eu", "host-1.example:9100", "host-1.example", "example", "exampleexample", "is full", " of ",
			"host-1.example:9100 of example", strings.Repeat("host-1.example ", 2*maxParts), "hôtel-ß.example",
		})
		draw := func(names ...string) alert.Labels {
			m := map[string]string{}
			for _, name := range names {
				m[name] = text.Draw(t, name) + text.Draw(t, name)
			}
			return alert.FromMap(m)
		}
		p := alert.Posted{
			Labels: draw("alertname", "instance", "job"), Annotations: draw("summary", "description"), GeneratorURL: text.Draw(t, "url"),
			StartsAt: time.Unix(0, rapid.Int64().Draw(t, "starts")),
		}
		m := moments{updatedAt: rapid.Int64().Draw(t, "updated"), startsAt: nanos(p.StartsAt), began: rapid.Int64Range(-1e12, 1e13).Draw(t, "began"), endsAt: rapid.Int64().Draw(t, "ends")}
		r := &Record{symbols: s, fp: p.Labels.Fingerprint(), packed: s.pack(&m, &p)}
		a := r.Alert()
		if !a.Labels.Equal(p.Labels) || !alert.FromMap(a.Annotations).Equal(p.Annotations) || a.Outside.GeneratorURL != p.GeneratorURL || r.moments() != m {
			t.Fatalf("%+v comes back as %+v, %+v as %+v", p, a, m, r.moments())
		}
		if !r.same(&p) {
			t.Fatal("it is not the same as itself")
		}
		other := p
		other.Annotations = p.Annotations.With("summary", p.Annotations.Get("summary")+rapid.SampledFrom([]string{"x", "example", text.Draw(t, "more") + "."}).Draw(t, "end"))
		if r.same(&other) {
			t.Fatalf("%q is the same as %q", other.Annotations, p.Annotations)
		}
	})
}

func TestASummaryThatNamesTheInstanceKeepsItOnce(t *testing.T) {
	s := newSymbols()
	size := 0
	for i := range 3 {
		instance := fmt.Sprintf("host-%d.eu-1.example.com:9100", i)
		p := alert.Posted{
			Labels:      alert.LabelsOf("alertname", "DiskFull", "instance", instance),
			Annotations: alert.LabelsOf("summary", "The disk of "+instance+" is full"),
		}
		size = len(s.pack(&moments{}, &p))
	}
	if size > 55 {
		t.Errorf("packed in %d bytes", size)
	}
}

func TestATextThatComesAgainIsANumber(t *testing.T) {
	s := newSymbols()
	first := s.append(nil, "http://prometheus.example/graph")
	second := s.append(nil, "http://prometheus.example/graph")
	if len(first) < 30 || len(second) > 2 {
		t.Errorf("written in %d bytes, then in %d", len(first), len(second))
	}
}

func TestTheTableOfTextsIsBounded(t *testing.T) {
	s := newSymbols()
	long := strings.Repeat("x", 200)
	for i := range 3 * maxSymbols {
		text := fmt.Sprint(long, i)
		s.append(s.append(nil, text), text)
	}
	if s.bytes > maxSymbolBytes || len(s.numbers) > maxSymbols {
		t.Errorf("%d texts of %d bytes", len(s.numbers), s.bytes)
	}
	if text, _ := s.cut(string(s.append(nil, "still taken")), nil); text != "still taken" {
		t.Errorf("%q", text)
	}
}

func TestTextsAreReadWhileOthersAreWritten(t *testing.T) {
	s := newSymbols()
	s.append(nil, "shared")
	written := string(s.append(nil, "shared"))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10_000 {
				if text, _ := s.cut(written, nil); text != "shared" {
					t.Error(text)
					return
				}
			}
		})
	}
	for i := range 10_000 {
		text := fmt.Sprint("text ", i)
		s.append(s.append(nil, text), text)
	}
	wg.Wait()
}
