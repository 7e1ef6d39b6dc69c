package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/tocsin-dev/tocsin/source"
	"github.com/tocsin-dev/tocsin/store"
)

// Error is an error with all that the client is told of it. Code is a word for
// programs, Message a sentence for people. Err is the cause: it is logged for
// a status of 500 and above, and never shown.
type Error struct {
	Status  int
	Code    string
	Message string
	Err     error
	// Mistakes are shown beside the message; may be nil.
	Mistakes []Mistake
	// Header holds further headers of the answer, name and value; may be nil.
	Header [][2]string
}

// Error returns the message and the cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// cutOff is what a body comes to that cannot be read: too large, or cut off.
func cutOff(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	return &Error{Status: http.StatusBadRequest, Code: "bad_request", Message: "the body could not be read to its end", Err: err}
}

func badRequest(message string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "bad_request", Message: message}
}

func notFound(message string) *Error {
	return &Error{Status: http.StatusNotFound, Code: "not_found", Message: message}
}

// keysHint is the configuration that turns the keys endpoint on.
const keysHint = "set keys: {enabled: true} on a source of type redis"

// errorOf decides in one place what a client is told of an error. Whatever is
// not named here is an internal error, whose text stays inside.
func errorOf(err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	var bad BadRequest
	if errors.As(err, &bad) && bad.BadRequest() {
		return badRequest(bad.Error())
	}
	if edit := editError(err); edit != nil {
		return edit
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return &Error{Status: http.StatusRequestEntityTooLarge, Code: "body_too_large", Message: "the request's body is larger than " + sizeText(tooLarge.Limit)}
	case errors.Is(err, store.ErrNotFound):
		return notFound("no such alert; GET /api/v1/alerts lists them")
	case errors.Is(err, store.ErrNotStored):
		return &Error{Status: http.StatusServiceUnavailable, Code: "not_stored", Message: store.ErrNotStored.Error(), Err: err}
	case errors.Is(err, store.ErrBadCursor), errors.Is(err, source.ErrBadCursor):
		return badRequest("cursor: not one that an earlier page gave out")
	case errors.Is(err, source.ErrBadPattern):
		return badRequest("pattern: " + err.Error())
	case errors.Is(err, source.ErrScanBusy):
		return &Error{
			Status: http.StatusTooManyRequests, Code: "scan_busy", Message: "another scan of the keys is at work; try again in a second",
			Header: [][2]string{{"Retry-After", "1"}},
		}
	case errors.Is(err, source.ErrKeysDisabled):
		return &Error{Status: http.StatusForbidden, Code: "keys_disabled", Message: "listing keys is off; " + keysHint}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Status: http.StatusGatewayTimeout, Code: "timeout", Message: "the answer was not ready in time", Err: err}
	case errors.Is(err, context.Canceled):
		return &Error{Status: statusClientGone, Code: "cancelled", Message: "the client went away", Err: err}
	}
	return &Error{Status: http.StatusInternalServerError, Code: "internal", Message: "internal error; the daemon's log says more", Err: err}
}

// statusClientGone is what nginx logs for a client that did not wait; nobody
// reads the answer, but the request counter shows it.
const statusClientGone = 499
