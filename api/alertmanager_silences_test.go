package api_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/api"
)

func silenceBody(change ...string) string {
	body := `{"matchers":[{"name":"a","value":"x","isRegex":false}],"startsAt":"2026-01-01T10:00:00Z","endsAt":"2999-11-23T10:00:00Z","createdBy":"me","comment":"c"}`
	return strings.NewReplacer(change...).Replace(body)
}

// What Alertmanager 0.34.2 answers to the same requests.
func TestPostingASilenceIsAnsweredAsAlertmanagerDoes(t *testing.T) {
	h := api.New(newRouter().options()).Handler()
	for name, tt := range map[string]struct {
		body   string
		status int
		answer string
	}{
		"nothing":              {``, 422, `{"code":602,"message":"silence in body is required"}`},
		"null":                 {`null`, 422, `{"code":602,"message":"comment in body is required"}`},
		"an empty object":      {`{}`, 422, `{"code":602,"message":"comment in body is required"}`},
		"a list":               {`[]`, 400, `{"code":400,"message":"parsing silence body from \"\" failed, because json: cannot unmarshal array *`},
		"no creator":           {silenceBody(`"createdBy":"me",`, ``), 422, `{"code":602,"message":"createdBy in body is required"}`},
		"an empty comment":     {silenceBody(`"c"`, `""`), 200, `{"silenceID":"*`},
		"an empty creator":     {silenceBody(`"me"`, `" "`), 200, `{"silenceID":"*`},
		"no beginning":         {silenceBody(`"startsAt":"2026-01-01T10:00:00Z",`, ``), 422, `{"code":602,"message":"startsAt in body is required"}`},
		"year one":             {silenceBody(`2026-01-01T10`, `0001-01-01T00`), 200, `{"silenceID":"*`},
		"no matchers":          {silenceBody(`{"name":"a","value":"x","isRegex":false}`, ``), 422, `{"code":612,"message":"matchers in body should have at least 1 items"}`},
		"no isRegex":           {silenceBody(`,"isRegex":false`, ``), 422, `{"code":602,"message":"matchers.0.isRegex in body is required"}`},
		"a matcher of nothing": {silenceBody(`"x"`, `""`), 400, `"invalid silence: matcher set 0: at least one matcher must not match the empty string"`},
		"only a negative one":  {silenceBody(`false`, `false,"isEqual":false`), 200, `{"silenceID":"*`},
		"no label":             {silenceBody(`"a"`, `""`), 400, `"invalid silence: invalid label matcher 0 in set 0: invalid label name \"\""`},
		"a bad expression":     {silenceBody(`"x"`, `"("`, `false`, `true`), 400, "\"invalid silence: invalid label matcher 0 in set 0: invalid regular expression \\\"(\\\": error parsing regexp: missing closing ): `(`\""},
		"an end before":        {silenceBody(`2999`, `2020`), 400, `"Failed to create silence: start time must be before end time"`},
		"an end in the past":   {silenceBody(`2999`, `2020`, `2026`, `2019`), 400, `"Failed to create silence: end time can't be in the past"`},
		"an id of nobody":      {silenceBody(`{"m`, `{"id":"6f2b5a1e-0000-4000-8000-000000000000","m`), 404, `"silence not found"`},
		"a time of no form":    {silenceBody(`2026-01-01T10:00:00Z`, `xx`), 400, `{"code":400,"message":"parsing silence body from \"\" failed, because parsing time \"xx\" as \"2006-01-02\": cannot parse \"xx\" as \"2006\""}`},
		"what is refused":      {silenceBody(`"c"`, `"refuse"`), 400, `"the comment says so"`},
	} {
		t.Run(name, func(t *testing.T) { wantAnswer(t, postJSON(t, h, "/api/v2/silences", tt.body), tt.status, tt.answer) })
	}
}

// create posts a silence and returns its id.
func create(t *testing.T, h http.Handler, body string) string {
	t.Helper()
	var made struct{ SilenceID string }
	if w := postJSON(t, h, "/api/v2/silences", body); w.Code != 200 || json.Unmarshal(w.Body.Bytes(), &made) != nil {
		t.Fatal(w.Code, w.Body)
	}
	return made.SilenceID
}

func TestSilencesAreListedAsAlertmanagerListsThem(t *testing.T) {
	h := api.New(newRouter().options()).Handler()
	wantAnswer(t, get(t, h, "/api/v2/silences"), 200, `[]`)
	late := create(t, h, silenceBody())
	soon := create(t, h, silenceBody(`2999`, `2998`, `"x","isRegex":false`, `"x<|y","isRegex":true,"isEqual":false`))
	pending := create(t, h, silenceBody(`2026`, `2500`))
	over := create(t, h, silenceBody())
	wantAnswer(t, do(t, h, http.MethodDelete, "/api/v2/silence/"+over, nil), 200, ``)
	wantAnswer(t, do(t, h, http.MethodDelete, "/api/v2/silence/"+over, nil), 200, ``)

	last := create(t, h, silenceBody())
	time.Sleep(2 * time.Millisecond) // the later end
	wantAnswer(t, do(t, h, http.MethodDelete, "/api/v2/silence/"+last, nil), 200, ``)

	ids := func(query string) string {
		var list []struct{ ID string }
		if err := json.Unmarshal(get(t, h, "/api/v2/silences"+query).Body.Bytes(), &list); err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, s := range list {
			all = append(all, s.ID)
		}
		return strings.Join(all, " ")
	}
	for query, want := range map[string]string{
		"":                            strings.Join([]string{soon, late, pending, last, over}, " "),
		"?active=false":               pending + " " + last + " " + over,
		"?expired=false&active=false": pending,
		"?pending=false&active=false": last + " " + over,
		"?filter=a%3Dx&expired=false": late + " " + pending,
		"?filter=a!~%22x%3C%7Cy%22":   soon,
		"?filter=a%3D~x":              "",
	} {
		if got := ids(query); got != want {
			t.Errorf("%s: %s\nwant %s", query, got, want)
		}
	}
	wantAnswer(t, get(t, h, "/api/v2/silences?filter=foo"), 400, `"bad matcher format: foo"`)

	one := get(t, h, "/api/v2/silence/"+soon).Body.String()
	one = regexp.MustCompile(`"`+time.Now().UTC().Format("2006-01-02")+`T[0-9:.]{12}Z"`).ReplaceAllString(one, `"NOW"`)
	want := `{"id":"` + soon + `","status":{"state":"active"},"updatedAt":"NOW","comment":"c","createdBy":"me","endsAt":"2998-11-23T10:00:00.000Z","matchers":[{"isEqual":false,"isRegex":true,"name":"a","value":"x\u003c|y"}],"startsAt":"NOW"}` + "\n"
	if one != want {
		t.Errorf("%s\nwant %s", one, want)
	}
	wantBody(t, get(t, h, "/api/v2/silence/"+over), 200, `"state":"expired"`)
}

func TestASilenceNobodyKnows(t *testing.T) {
	h := api.New(newRouter().options()).Handler()
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		wantAnswer(t, do(t, h, method, "/api/v2/silence/6f2b5a1e-0000-4000-8000-000000000000", nil), 404, ``)
		wantAnswer(t, do(t, h, method, "/api/v2/silence/abc", nil), 422, `{"code":601,"message":"silenceID in path must be of type uuid: \"abc\""}`)
	}
}
