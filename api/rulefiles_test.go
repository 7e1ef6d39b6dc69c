package api_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/api"
	"github.com/tocsin-dev/tocsin/internal/secret"
)

// editor is a folder with the rule file conf/a.yaml, and new.yaml that may be
// made. A text with "wrong" in it is refused.
type editor struct {
	texts map[string]string
	by    []string
	fail  error
}

func newEditor() *editor { return &editor{texts: map[string]string{"conf/a.yaml": "rules: []\n"}} }

func (e *editor) RuleFiles(context.Context) ([]api.RuleFile, error) {
	return []api.RuleFile{{Path: "conf/a.yaml", Text: []byte(e.texts["conf/a.yaml"]), Rules: 3}, {Path: "gone.yaml", Missing: true}}, e.fail
}

func (e *editor) RuleFile(_ context.Context, name string) (api.RuleFile, error) {
	switch name {
	case "a.yaml", "conf/a.yaml":
		return api.RuleFile{Path: "conf/a.yaml", Text: []byte(e.texts["conf/a.yaml"])}, e.fail
	case "new.yaml":
		text, there := e.texts[name]
		return api.RuleFile{Path: name, Text: []byte(text), Missing: !there}, e.fail
	}
	return api.RuleFile{}, fmt.Errorf("%w: %q", api.ErrNoRuleFile, name)
}

func (e *editor) WriteRuleFile(ctx context.Context, w api.RuleWrite) (api.RuleWritten, error) {
	now, err := e.RuleFile(ctx, w.Name)
	if err != nil {
		return api.RuleWritten{}, err
	}
	if err := w.Allow(now); err != nil {
		return api.RuleWritten{}, err
	}
	if found, _ := e.CheckRules(ctx, "", w.Text); len(found.Mistakes) > 0 {
		return api.RuleWritten{}, &api.Refusal{Mistakes: found.Mistakes, Text: "a.yaml:1:8: it is wrong"}
	}
	e.texts[now.Path], e.by = string(w.Text), append(e.by, w.By)
	return api.RuleWritten{Path: now.Path, Created: now.Missing, Rules: 1, Total: 4}, nil
}

func (e *editor) CheckRules(ctx context.Context, file string, text []byte) (api.RuleCheck, error) {
	if file != "" {
		if _, err := e.RuleFile(ctx, file); err != nil {
			return api.RuleCheck{}, err
		}
	}
	out := api.RuleCheck{Rules: 1}
	if strings.Contains(string(text), "wrong") {
		out.Mistakes = []api.Mistake{
			{File: "a.yaml", Line: 1, Column: 8, Path: "rules", Message: "it is wrong", Hint: "write right"},
			{File: "a.yaml", Message: "looks odd", Warning: true},
		}
	}
	return out, nil
}

func tag(text string) string { return fmt.Sprintf(`"%x"`, sha256.Sum256([]byte(text))) }

func TestAnEditSaysWhatWasEdited(t *testing.T) {
	const old, fresh = "rules: []\n", "rules: [a]\n"
	for _, tt := range []struct {
		name, file string
		headers    []string
		status     int
		code       string
		etag       string // of the answer
	}{
		{"nothing said", "a.yaml", nil, 428, "precondition_required", tag(old)},
		{"the right tag", "a.yaml", []string{"If-Match", tag(old)}, 200, "", tag(fresh)},
		{"by its path", "conf/a.yaml", []string{"If-Match", tag(old)}, 200, "", tag(fresh)},
		{"one of several tags", "a.yaml", []string{"If-Match", `"x", ` + tag(old)}, 200, "", tag(fresh)},
		{"another tag", "a.yaml", []string{"If-Match", tag(fresh)}, 412, "precondition_failed", tag(old)},
		{"a weak tag", "a.yaml", []string{"If-Match", "W/" + tag(old)}, 412, "precondition_failed", tag(old)},
		{"whatever is there", "a.yaml", []string{"If-Match", "*"}, 200, "", tag(fresh)},
		{"only when it is not there", "a.yaml", []string{"If-None-Match", "*"}, 412, "precondition_failed", tag(old)},
		{"a new file", "new.yaml", []string{"If-None-Match", "*"}, 201, "", tag(fresh)},
		{"a new file, nothing said", "new.yaml", nil, 428, "precondition_required", ""},
		{"a new file that is said to be there", "new.yaml", []string{"If-Match", "*"}, 412, "precondition_failed", ""},
		{"no such file", "none.yaml", []string{"If-Match", "*"}, 404, "not_found", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newEditor()
			o := overviewWorld().options()
			o.RuleFiles = e
			res := do(t, api.New(o).Handler(), "PUT", "/api/v1/rules/"+tt.file, strings.NewReader(fresh), append(tt.headers, "Content-Type", "text/plain")...)
			if got := res.Header().Get("ETag"); got != tt.etag {
				t.Errorf("ETag %s, want %s", got, tt.etag)
			}
			if tt.code != "" {
				wantError(t, res, tt.status, tt.code)
				if len(e.by) > 0 {
					t.Error("it was written")
				}
				return
			}
			wantBody(t, res, tt.status, `"rules":1,"total":4`)
		})
	}
}

func TestAnEditWhileTheDaemonStops(t *testing.T) {
	o := overviewWorld().options()
	o.RuleFiles = &editor{fail: api.ErrStopping}
	res := do(t, api.New(o).Handler(), "PUT", "/api/v1/rules/a.yaml", strings.NewReader("rules: []\n"), "If-Match", "*")
	wantError(t, res, 503, "stopping", "the daemon is stopping")
}

func TestATagOfAFileThatIsNotThere(t *testing.T) {
	o := overviewWorld().options()
	o.RuleFiles = newEditor()
	res := do(t, api.New(o).Handler(), "PUT", "/api/v1/rules/new.yaml", strings.NewReader("rules: []\n"), "If-Match", "*")
	wantError(t, res, 412, "precondition_failed", "there is no such file; to make it, send If-None-Match: *")
}

func TestAReadFileIsEditedByItsTag(t *testing.T) {
	o := overviewWorld().options()
	e := newEditor()
	o.RuleFiles = e
	h := api.New(o).Handler()
	first := get(t, h, "/api/v1/rules/a.yaml")
	wantBody(t, first, 200, "rules: []\n")
	if got := first.Header().Get("Content-Type"); got != "application/yaml; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
	wantBody(t, get(t, h, "/api/v1/rules/a.yaml", "If-None-Match", first.Header().Get("ETag")), 304)
	wantBody(t, do(t, h, "PUT", "/api/v1/rules/a.yaml", strings.NewReader("rules: [b]\n"), "If-Match", first.Header().Get("ETag")), 200)
	wantError(t, do(t, h, "PUT", "/api/v1/rules/a.yaml", strings.NewReader("rules: [c]\n"), "If-Match", first.Header().Get("ETag")), 412, "precondition_failed", "changed since")
	wantBody(t, get(t, h, "/api/v1/rulefiles"), 200, `{"file":"conf/a.yaml","rules":3,"etag":"\"`, `{"file":"gone.yaml","rules":0,"etag":null}`)
	wantError(t, get(t, h, "/api/v1/rules/new.yaml"), 404, "not_found", "If-None-Match: *")
}

func TestARefusedEditIsToldWithItsMistakes(t *testing.T) {
	o := overviewWorld().options()
	e := newEditor()
	o.RuleFiles, o.Reloader = e, accept{&api.Refusal{Mistakes: []api.Mistake{{File: "tocsin.yaml", Line: 7, Column: 1, Message: "odd"}}, Text: "tocsin.yaml:7:1: odd"}}
	h := api.New(o).Handler()
	res := do(t, h, "PUT", "/api/v1/rules/a.yaml", strings.NewReader("wrong"), "If-Match", "*")
	wantBody(t, res, 422, `"code":"rules_refused","message":"a.yaml:1:8: it is wrong"`,
		`"mistakes":[{"file":"a.yaml","line":1,"column":8,"path":"rules","message":"it is wrong","hint":"write right","severity":"error"},`, `"severity":"warning"}]`)
	if len(e.by) != 0 {
		t.Error("it was written")
	}
	wantBody(t, do(t, h, "POST", "/-/reload", http.NoBody), 422, `"code":"config_refused"`, `"file":"tocsin.yaml","line":7`)
	wantBody(t, do(t, h, "POST", "/api/v1/rules/check", strings.NewReader("wrong")), 200,
		`{"ok":false,"rules":1,"mistakes":[{"file":"a.yaml",`, `"warnings":[{"file":"a.yaml",`)
	wantBody(t, do(t, h, "POST", "/api/v1/rules/check?file=a.yaml", strings.NewReader("rules: []")), 200, `{"ok":true,"rules":1,"mistakes":[],"warnings":[]}`)
	wantError(t, do(t, h, "POST", "/api/v1/rules/check?file=none", strings.NewReader("")), 404, "not_found")
	for err, want := range map[error]int{
		fmt.Errorf("%w: read-only file system", api.ErrNotWritten): 409, fmt.Errorf("%w: a, b", api.ErrRuleFileAmbiguous): 409,
		fmt.Errorf("%w: ..", api.ErrBadRuleFileName): 400, fmt.Errorf("%w: no", api.ErrNotApplied): 422, errors.New("inner"): 500,
	} {
		e.fail = err
		res := do(t, h, "PUT", "/api/v1/rules/a.yaml", strings.NewReader("x"), "If-Match", "*")
		if res.Code != want || strings.Contains(res.Body.String(), "inner") {
			t.Errorf("%v: status %d: %s", err, res.Code, res.Body)
		}
	}
}

func TestWhatIsNoRuleFileIsRefused(t *testing.T) {
	o := overviewWorld().options()
	wantError(t, get(t, api.New(o).Handler(), "/api/v1/rulefiles"), 404, "rules_disabled")
	o.RuleFiles, o.Limits.MaxBodyBytes = newEditor(), 10
	h := api.New(o).Handler()
	for _, path := range []string{"PUT /api/v1/rules/a.yaml", "POST /api/v1/rules/check"} {
		method, path, _ := strings.Cut(path, " ")
		send := func(body string, headers ...string) int {
			return do(t, h, method, path, strings.NewReader(body), append(headers, "If-Match", "*")...).Code
		}
		if code := send("rules: []\n!"); code != 413 {
			t.Errorf("%s: too large: status %d", path, code)
		}
		for kind, want := range map[string]int{
			"": 200, "application/yaml": 200, "text/plain; charset=UTF-8": 200, "application/x-www-form-urlencoded": 200,
			"text/plain; charset=latin1": 415, "image/png": 415, "multipart/form-data; boundary=x": 415, "/": 415,
		} {
			if code := send("rules: []", "Content-Type", kind); code != want {
				t.Errorf("%s: %q: status %d, want %d", path, kind, code, want)
			}
		}
		if code := send("rules: []", "Content-Encoding", "gzip"); code != 415 {
			t.Errorf("%s: compressed: status %d", path, code)
		}
	}
	wantError(t, do(t, h, "DELETE", "/api/v1/rules/a.yaml", nil), 405, "method_not_allowed", "GET, HEAD, PUT")
}

func TestEditingNeedsAnAdminWhoIsNamedInTheLog(t *testing.T) {
	o := overviewWorld().options()
	e := newEditor()
	o.RuleFiles = e
	o.Tokens = []api.Token{{Name: "eye", Token: secret.New("eye-token"), Scope: api.Read}, {Name: "hand", Token: secret.New("hand-token"), Scope: api.Operate}, {Name: "boss", Token: secret.New("boss-token"), Scope: api.Admin}}
	h := api.New(o).Handler()
	for _, tt := range []struct {
		method, path, token string
		want                int
	}{
		{"GET", "/api/v1/rules/a.yaml", "", 401},
		{"GET", "/api/v1/rules/a.yaml", "eye-token", 200},
		{"POST", "/api/v1/rules/check", "", 401},
		{"POST", "/api/v1/rules/check", "eye-token", 200},
		{"PUT", "/api/v1/rules/a.yaml", "hand-token", 403},
		{"PUT", "/api/v1/rules/a.yaml", "boss-token", 200},
	} {
		if res := do(t, h, tt.method, tt.path, strings.NewReader("rules: []"), "Authorization", "Bearer "+tt.token, "If-Match", "*"); res.Code != tt.want {
			t.Errorf("%s %s by %q: status %d, want %d", tt.method, tt.path, tt.token, res.Code, tt.want)
		}
	}
	if got := strings.Join(e.by, " "); got != "boss" {
		t.Errorf("written by %q", got)
	}
}

func TestReadinessTellsOfARefusedEdit(t *testing.T) {
	o := overviewWorld().options()
	status := api.ReloadStatus{OK: true, At: tenOClock()}
	o.LastReload = func() api.ReloadStatus { return status }
	o.Tokens = []api.Token{{Name: "eye", Token: secret.New("eye-token"), Scope: api.Read}}
	h := api.New(o).Handler()
	wantBody(t, get(t, h, "/-/ready"), 200, `{"status":"ready","reload":{"ok":true,"at":"2024-01-15T10:00:00.000Z","mistake_count":0}}`)
	status = api.ReloadStatus{At: tenOClock(), Mistakes: []api.Mistake{{File: "rules.yaml", Line: 3, Column: 5, Message: "unknown field", Hint: "did you mean"}, {Message: "odd", Warning: true}}}
	wantBody(t, get(t, h, "/-/ready", "Authorization", "Bearer eye-token"), 200,
		`"reload":{"ok":false,"at":"2024-01-15T10:00:00.000Z","mistake_count":1,"mistakes":[{"file":"rules.yaml","line":3,"column":5,"path":"","message":"unknown field","hint":"did you mean","severity":"error"}]`)
	var doc struct {
		Reload map[string]any
	}
	if err := json.Unmarshal(get(t, h, "/-/ready").Body.Bytes(), &doc); err != nil || doc.Reload["mistake_count"] != 1.0 || doc.Reload["mistakes"] != nil {
		t.Errorf("a stranger is told %v (%v)", doc.Reload, err)
	}
	o.Tokens = nil // on loopback everybody may read
	wantBody(t, get(t, api.New(o).Handler(), "/-/ready"), 200, `"message":"unknown field"`)
}
