package problem

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"critical", "warning", "info", "for", "clear", "metric", "match", "no_data", "keep_firing_for"}
	for word, want := range map[string]string{
		"fro":              "for",
		"For":              "for",
		"waring":           "warning",
		"warnign":          "warning",
		"critcal":          "critical",
		"nodata":           "no_data",
		"metrics":          "metric",
		"keep_fireing_for": "keep_firing_for",
		"matches":          "match",
		"":                 "",
		"x":                "",
		"zz":               "",
		"annotations":      "",
		"receivers":        "",
	} {
		if got := Nearest(word, names); got != want {
			t.Errorf("%q is nearest to %q, want %q", word, got, want)
		}
	}
	if got := DidYouMean("fro", names); got != `did you mean "for"?` {
		t.Error(got)
	}
	if got := DidYouMean("zz", names) + Nearest("for", nil); got != "" {
		t.Error(got)
	}
}

func TestPathsOfParts(t *testing.T) {
	var part, whole List
	part.Add("critical", "bad %s", "condition")
	part.AddHint("[0]", "write x", "bad")
	part.Add("", "bad")
	whole.Under("rules[2]", part)
	const want = "rules[2].critical: bad condition\nrules[2][0]: bad; write x\nrules[2]: bad"
	if got := whole.Err().Error(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if err := (List{}).Err(); err != nil {
		t.Error(err)
	}
}
