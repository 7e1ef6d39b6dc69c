package alert_test

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/prometheus/common/model"
	"pgregory.net/rapid"

	"github.com/tocsin-dev/tocsin/alert"
)

// maps of labels from a small alphabet, so that sets overlap.
func drawMap() *rapid.Generator[map[string]string] {
	return rapid.MapOf(rapid.SampledFrom([]string{"a", "b", "c", "d", "category", "é"}), rapid.OneOf(rapid.SampledFrom([]string{"", "1", "2"}), rapid.String()))
}

func TestFingerprintIsThatOfPrometheus(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMap().Draw(t, "labels")
		set := model.LabelSet{}
		for name, value := range m {
			if value != "" {
				set[model.LabelName(name)] = model.LabelValue(value)
			}
		}
		got := alert.FromMap(m).Fingerprint()
		if uint64(got) != uint64(set.Fingerprint()) || got.String() != set.Fingerprint().String() {
			t.Fatalf("%s, Prometheus says %s", got, set.Fingerprint())
		}
		if back, err := alert.ParseFingerprint(got.String()); err != nil || back != got {
			t.Fatalf("%s reads back as %s, %v", got, back, err)
		}
	})
}

func TestLawsOfLabelSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := alert.FromMap(drawMap().Draw(t, "a")), alert.FromMap(drawMap().Draw(t, "b")), alert.FromMap(drawMap().Draw(t, "c"))
		before := a.String()
		union := a.Map()
		maps.Copy(union, b.Map())
		law := func(name string, holds bool) {
			if !holds {
				t.Errorf("%s does not hold of %s, %s, %s", name, a, b, c)
			}
		}
		law("merge is the union, the later wins", a.Merge(b).Equal(alert.FromMap(union)))
		law("merge is associative", a.Merge(b).Merge(c).Equal(a.Merge(b.Merge(c))))
		law("merge with nothing changes nothing", a.Merge(nil).Equal(a) && alert.Labels(nil).Merge(a).Equal(a))
		law("what was merged over is a subset", b.Subset(a.Merge(b)))
		law("subset is what the maps say", a.Subset(b) == subset(a.Map(), b.Map()))
		law("common is a subset of both", a.Common(b).Subset(a) && a.Common(b).Subset(b) && a.Common(b).Equal(b.Common(a)))
		law("with sets", a.With("b", "x").Get("b") == "x" && a.With("b", "x").Without("b").Equal(a.Without("b")))
		law("with nothing takes away", a.With("b", "").Equal(a.Without("b")) && !a.Without("b").Has("b"))
		law("only and without are complements", a.Only("a", "d").Merge(a.Without("a", "d")).Equal(a))
		law("nothing is changed in place", a.String() == before)
		data, err := json.Marshal(a)
		var back alert.Labels
		law("JSON reads back", err == nil && json.Unmarshal(data, &back) == nil && back.Equal(a))
	})
}

func subset(small, large map[string]string) bool {
	for name, value := range small {
		if large[name] != value {
			return false
		}
	}
	return true
}

func TestAMergeSharesNothingThatALaterOneOverwrites(t *testing.T) {
	base := alert.LabelsOf("a", "1", "b", "2")
	first, second := base.Merge(alert.LabelsOf("c", "3")), base.Merge(alert.LabelsOf("c", "4"))
	if first.Get("c") != "3" || second.Get("c") != "4" {
		t.Errorf("%s, %s", first, second)
	}
}

func TestNumberIsNullWhereItIsNotKnown(t *testing.T) {
	for _, tt := range []struct {
		n    alert.Number
		json string
	}{
		{82.3, "82.3"}, {0, "0"}, {-1, "-1"}, {alert.Unknown(), "null"}, {alert.Number(inf()), "null"}, {alert.Number(-inf()), "null"},
	} {
		data, err := json.Marshal(struct{ V alert.Number }{tt.n})
		if want := `{"V":` + tt.json + `}`; err != nil || string(data) != want {
			t.Errorf("%v is %s (%v), want %s", float64(tt.n), data, err, want)
		}
		var back struct{ V alert.Number }
		if err := json.Unmarshal(data, &back); err != nil || back.V.Known() != tt.n.Known() || back.V.Known() && back.V != tt.n {
			t.Errorf("%s reads back as %v, %v", data, back.V, err)
		}
	}
	var n alert.Number
	if err := json.Unmarshal([]byte(`"82"`), &n); err == nil {
		t.Error("a string passes for a number")
	}
}

func inf() float64 {
	huge := 1e308
	return huge * 10
}
