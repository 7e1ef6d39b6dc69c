package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// postIngest answers POST /api/v1/ingest: what an application pushes of
// itself.
func (s *Server) postIngest(r *http.Request) (any, error) {
	if s.Ingester == nil {
		return nil, &Error{
			Status: http.StatusNotFound, Code: "ingest_disabled",
			Message: "nothing takes pushed values; add a source {name: app, type: push}",
		}
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, &Error{
			Status: http.StatusUnsupportedMediaType, Code: "unsupported_encoding",
			Message: "the body must not be compressed",
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, err
		}
		// Whatever else fails here is the client or its connection.
		return nil, &Error{Status: http.StatusBadRequest, Code: "bad_request", Message: "the body could not be read to its end", Err: err}
	}
	return s.Ingester.Ingest(r.Context(), body)
}

// postReload answers POST /-/reload. A configuration that is refused is told
// with every mistake, and nothing has changed.
func (s *Server) postReload(r *http.Request) (any, error) {
	if s.Reloader == nil {
		return nil, &Error{Status: http.StatusNotImplemented, Code: "reload_disabled", Message: "this daemon was started without a configuration to reload"}
	}
	err := s.Reloader.Reload(r.Context())
	switch {
	case err == nil:
		return statusDoc{"reloaded"}, nil
	case errors.Is(err, ErrStopping):
		return nil, err
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return nil, fmt.Errorf("reload: %w", err)
	}
	refused := &Error{Status: http.StatusUnprocessableEntity, Code: "config_refused", Message: err.Error()}
	var refusal *Refusal
	if errors.As(err, &refusal) {
		refused.Mistakes = refusal.Mistakes
	}
	return nil, refused
}
