// Package notifiers is what every receiver's adapter shares: the Notifier
// interface, the sorting of errors into those that pass and those that last,
// and one HTTP client. The adapters live in the folders below and never import
// each other. It retries nothing and stores nothing: the outbox does.
package notifiers

import (
	"context"
	"errors"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// Notifier tells one receiver. Notify is called with a deadline on ctx, from
// many goroutines at a time, for different groups; calls for one group come
// one after the other. An error means that the receiver may not have been
// told: it is retried with the same notification unless it is Permanent.
type Notifier interface {
	Notify(ctx context.Context, n alert.Notification) (Receipt, error)
}

// Receipt is what a receiver answered, for the record.
type Receipt struct {
	// Reference is what the receiver calls the message; may be empty.
	Reference string
	// Status is the HTTP status, 0 where HTTP is not spoken.
	Status int
	// Answer is the beginning of what was answered, without secrets; may be
	// empty.
	Answer string
	// Note is what else the record should say of the message, as that a template
	// failed; most often empty.
	Note string
}

// Preview is what a receiver would send.
type Preview struct {
	ContentType string
	Body        []byte // without the receiver's secrets
	Note        string // as in Receipt
}

// Previewer is a Notifier that can show what it would send, and sends nothing.
type Previewer interface {
	Preview(n alert.Notification) (Preview, error)
}

// StatusOf returns the HTTP status that an error tells of; 0 for none.
func StatusOf(err error) int {
	var s interface{ HTTPStatus() int }
	if errors.As(err, &s) {
		return s.HTTPStatus()
	}
	return 0
}

// Permanent marks an error that no retry can mend: the receiver understood and
// refused.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// IsPermanent says whether err, or one that it wraps, is Permanent.
func IsPermanent(err error) bool {
	var p *permanentError
	return errors.As(err, &p)
}

// RetryAfter adds to an error how long the receiver asked to wait.
func RetryAfter(err error, wait time.Duration) error {
	if err == nil {
		return nil
	}
	return &retryAfterError{err, wait}
}

type retryAfterError struct {
	err  error
	wait time.Duration
}

func (e *retryAfterError) Error() string { return e.err.Error() }
func (e *retryAfterError) Unwrap() error { return e.err }

// WaitOf returns how long the receiver asked to wait; false when it did not.
func WaitOf(err error) (time.Duration, bool) {
	var r *retryAfterError
	if errors.As(err, &r) {
		return r.wait, true
	}
	return 0, false
}
