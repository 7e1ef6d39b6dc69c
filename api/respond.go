package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// answer is a value with another status than 200, or with headers.
type answer struct {
	status int
	body   any
	header [][2]string // further headers, name and value
}

// wrap makes an http.Handler of a route: guard, deadline, recovery, encoding,
// error shape and metrics.
func (s *Server) wrap(rt route, m routeMetrics) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		status := s.serve(w, r, rt)
		m.observe(status, time.Since(started))
	})
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, rt route) int {
	value, err := s.ask(w, r, rt)
	if err != nil {
		return s.writeError(w, r, err)
	}
	switch v := value.(type) {
	case nil:
		w.WriteHeader(http.StatusNoContent)
		return http.StatusNoContent
	case *document:
		return writeDocument(w, r, v)
	case http.Handler:
		v.ServeHTTP(w, r)
		return http.StatusOK
	case plain:
		return s.writePlain(w, r, v)
	case page:
		return writePage(w, v)
	case answer:
		for _, h := range v.header {
			w.Header().Set(h[0], h[1])
		}
		return s.writeValue(w, r, v.status, v.body)
	}
	if !rt.revalidate {
		return s.writeValue(w, r, http.StatusOK, value)
	}
	doc, err := render(value)
	if err != nil {
		return s.writeError(w, r, err)
	}
	return writeDocument(w, r, doc)
}

// ask lets the handler answer, if the guard does. A panic is an error like any
// other: logged here with its stack, and 500 for the client.
func (s *Server) ask(w http.ResponseWriter, r *http.Request, rt route) (value any, err error) {
	defer func() {
		got := recover()
		if got == nil {
			return
		}
		if cause, ok := got.(error); ok && errors.Is(cause, http.ErrAbortHandler) {
			panic(got)
		}
		s.Log.Error("handler panicked", "route", rt.path, "panic", fmt.Sprint(got), "stack", string(debug.Stack()))
		value, err = nil, fmt.Errorf("panic: %v", got)
	}()
	if err := s.guard.check(r, rt.scope); err != nil {
		return nil, err
	}
	if len(r.URL.RawQuery) > s.Limits.MaxQueryBytes {
		return nil, &Error{Status: http.StatusRequestURITooLong, Code: "query_too_long", Message: fmt.Sprintf("the query is longer than %d bytes", s.Limits.MaxQueryBytes)}
	}
	if r.Method == http.MethodPost || r.Method == http.MethodPut {
		orElse(&rt.maxBody, s.Limits.MaxBodyBytes)
		r.Body = http.MaxBytesReader(w, r.Body, int64(rt.maxBody))
	}
	if rt.timeout > 0 {
		ctx, cancel := context.WithTimeout(r.Context(), rt.timeout)
		defer cancel()
		r = r.WithContext(ctx)
	}
	return rt.handle(r)
}

type errorBody struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		// Mistakes are there when what an operator wrote was refused.
		Mistakes []mistakeDoc `json:"mistakes,omitempty"`
	} `json:"error"`
}

func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) int {
	e := errorOf(err)
	if e.Status >= http.StatusInternalServerError && e.Err != nil {
		s.Log.Error("request failed", "method", r.Method, "path", r.URL.Path, "status", e.Status, "error", err)
	}
	for _, h := range e.Header {
		w.Header().Set(h[0], h[1])
	}
	var body errorBody
	body.Error.Code, body.Error.Message, body.Error.Mistakes = e.Code, e.Message, mistakeDocs(e.Mistakes)
	return s.writeValue(w, r, e.Status, body)
}

func (s *Server) writeValue(w http.ResponseWriter, r *http.Request, status int, v any) int {
	body, err := encode(v)
	if err != nil {
		return s.writeError(w, r, err)
	}
	write(w, status, body, "application/json; charset=utf-8", "no-store")
	return status
}

// writeDocument answers 304 to a client that has the document already.
func writeDocument(w http.ResponseWriter, r *http.Request, d *document) int {
	contentType := d.contentType
	if contentType == "" {
		contentType = "application/json; charset=utf-8"
	}
	if d.etag == "" {
		write(w, http.StatusOK, d.body, contentType, "no-store")
		return http.StatusOK
	}
	w.Header().Set("ETag", d.etag)
	if has(r.Header.Get("If-None-Match"), d.etag) {
		w.Header().Set("Cache-Control", "no-cache")
		w.WriteHeader(http.StatusNotModified)
		return http.StatusNotModified
	}
	write(w, http.StatusOK, d.body, contentType, "no-cache")
	return http.StatusOK
}

// has says whether If-None-Match names the tag, by the weak comparison of RFC
// 9110, section 13.1.2.
func has(header, etag string) bool {
	for header != "" {
		var one string
		one, header, _ = strings.Cut(header, ",")
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		if one == etag || one == "*" {
			return true
		}
	}
	return false
}

// write sends a whole answer. The only error of writing is a client that went
// away, which is nobody's concern.
func write(w http.ResponseWriter, status int, body []byte, contentType, cacheControl string) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", cacheControl)
	// Never guessed to be HTML, and never readable by another origin's page.
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
