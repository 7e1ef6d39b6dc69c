package plugincheck

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestEachMistakeIsFoundAndNamed runs plugins that do one thing wrong. The kit must
// fail at that check, and at no other.
func TestEachMistakeIsFoundAndNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rogue")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./testdata/rogue").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, row := range []struct{ does, check, says string }{
		{"nothing", "", ""},
		{"name", "describe", `name "The Rogue": want lower case letters, digits and -`},
		{"changes", "describe", "it describes itself otherwise when it is asked again"},
		{"schema", "schema", "got number, want object"},
		{"takes-all", "validate-bad", "a setting that does not exist is taken: whoever misspells one is never told"},
		{"outcome", "deliver", "firing: the answer has no outcome"},
		{"reference", "reference", "a reference that is not known any more is refused for good"},
		{"panics", "large", "the call failed"},
		{"always-well", "garbage", "a call without settings and notification succeeds"},
		{"garbage", "garbage", "settings that are no JSON ended it"},
		{"term", "terminate", "after SIGTERM it lives on for 5s"},
		{"socket", "terminate", "it left its socket behind"},
		{"forks", "terminate", "a process that it started lives on for 5s"},
		{"orphan", "orphan", "after kill -9 of the process that started it it lives on for 5s"},
		{"by-hand", "by-hand", "started by hand, it does not end"},
	} {
		t.Run(row.does, func(t *testing.T) {
			t.Parallel()
			failed := map[string]string{}
			o := Options{Path: path, Args: []string{row.does}, Config: json.RawMessage(`{}`)}
			if row.check != "" { // one check a mistake, or the test takes minutes
				o.Skip = without(row.check)
			}
			good, err := Run(t.Context(), o, func(r Result) {
				if r.Status == Fail {
					failed[r.Check] = r.Detail
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if row.check == "" {
				if !good || len(failed) > 0 {
					t.Errorf("good %t, failed %v", good, failed)
				}
				return
			}
			if good || len(failed) != 1 || !strings.Contains(failed[row.check], row.says) {
				t.Errorf("good %t, failed %v; want %s: %s", good, failed, row.check, row.says)
			}
		})
	}
}

// without are the checks that are left out beside one and those that it rests on.
func without(check string) []string {
	var out []string
	for _, name := range Names() {
		switch name {
		case check, "start", "describe", "validate":
		case "deliver":
			if check != "reference" {
				out = append(out, name)
			}
		default:
			out = append(out, name)
		}
	}
	return out
}

func TestAPluginThatCannotBeTriedIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rogue")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./testdata/rogue").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for does, says := range map[string]string{
		"prints": "Unrecognized remote plugin message: Hello, I am starting!",
		"exits":  "its standard error ends with: cannot find my library",
	} {
		_, err := Run(t.Context(), Options{Path: path, Args: []string{does}}, func(Result) {})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %s", does, err, says)
		}
	}
}
