package external

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
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
			if got, rest = s.cut(rest); got != text {
				t.Fatalf("%q comes back as %q", text, got)
			}
		}
		if rest != "" {
			t.Fatalf("%q is left", rest)
		}
	})
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
	if text, _ := s.cut(string(s.append(nil, "still taken"))); text != "still taken" {
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
				if text, _ := s.cut(written); text != "shared" {
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
