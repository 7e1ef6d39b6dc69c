package api

import (
	"net/http"
	"strings"

	"github.com/tocsin-dev/tocsin/api/amv2"
)

// amPrefix is where Alertmanager's API begins.
const amPrefix = "/api/v2/"

// tidyAM answers a path of /api/v2 that no route has for its slashes too many as
// the path without them: clients join their paths to addresses that end in one.
// Alertmanager redirects some of them, which costs some clients the body of a
// POST. Nothing else of a path is touched, so that it means the same to a proxy
// before us.
func tidyAM(again, unknown http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tidy := "/" + strings.Join(strings.FieldsFunc(r.URL.Path, func(c rune) bool { return c == '/' }), "/")
		if tidy == r.URL.Path || !strings.HasPrefix(tidy, amPrefix) {
			unknown.ServeHTTP(w, r)
			return
		}
		meant, at := *r, *r.URL
		at.Path, at.RawPath, meant.URL = tidy, "", &at
		again.ServeHTTP(w, &meant)
	})
}

// ofAM says whether a path that no route has is one of Alertmanager's API,
// whose clients want its kind of answer.
func ofAM(path string) bool { return strings.HasPrefix(path+"/", amPrefix) }

// amUnknownPath is what Alertmanager answers, and what of its API may be meant.
func amUnknownPath(path, near string) plain {
	message := "path " + path + " was not found"
	if strings.HasPrefix(near, amPrefix) {
		message += "; did you mean " + near + "?"
	}
	refused := amv2.Refusal{Status: http.StatusNotFound, Code: http.StatusNotFound, Message: message}
	return plain{status: refused.Status, body: refused.Body()}
}

// amWrongMethod is what Alertmanager answers.
func amWrongMethod(method string, allowed []string) plain {
	refused := amv2.Refusal{
		Status: http.StatusMethodNotAllowed, Code: http.StatusMethodNotAllowed,
		Message: "method " + method + " is not allowed, but [" + strings.Join(allowed, ",") + "] are",
	}
	return plain{status: refused.Status, body: refused.Body(), header: [][2]string{{"Allow", strings.Join(allowed, ", ")}}}
}
