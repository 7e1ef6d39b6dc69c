package pluginpb

import (
	"errors"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/tocsin-dev/tocsin/notifiers"
)

// NewNotifyResponse is a plugin's answer made of what a notifier returned.
func NewNotifyResponse(r notifiers.Receipt, err error) *NotifyResponse {
	resp := &NotifyResponse{
		Outcome: Outcome_OUTCOME_OK, Reference: Text(r.Reference), Status: int32(r.Status), Answer: Text(r.Answer), Note: Text(r.Note),
	}
	if err == nil {
		return resp
	}
	resp.Outcome, resp.Message = Outcome_OUTCOME_RETRY, Text(err.Error())
	if notifiers.IsPermanent(err) {
		resp.Outcome = Outcome_OUTCOME_PERMANENT
	}
	if wait, ok := notifiers.WaitOf(err); ok {
		resp.RetryAfter = durationpb.New(wait)
	}
	if status := notifiers.StatusOf(err); status != 0 {
		resp.Status = int32(status)
	}
	return resp
}

// Result is what a notifier returns, made of a plugin's answer. An outcome that
// this version does not know counts as one that may pass. Nobody is waited for
// longer than notifiers.MaxRetryAfter: the delivery would never be tried again, nor
// given up.
func (r *NotifyResponse) Result() (notifiers.Receipt, error) {
	receipt := notifiers.Receipt{Reference: r.GetReference(), Status: int(r.GetStatus()), Answer: r.GetAnswer(), Note: r.GetNote()}
	if r.GetOutcome() == Outcome_OUTCOME_OK {
		return receipt, nil
	}
	text := r.GetMessage()
	if text == "" {
		text = "the plugin says not why"
	}
	err := errors.New(text)
	if r.GetStatus() != 0 {
		err = &statusError{err, int(r.GetStatus())}
	}
	if r.GetRetryAfter() != nil {
		err = notifiers.RetryAfter(err, min(max(0, r.GetRetryAfter().AsDuration()), notifiers.MaxRetryAfter))
	}
	if r.GetOutcome() == Outcome_OUTCOME_PERMANENT {
		err = notifiers.Permanent(err)
	}
	return receipt, err
}

type statusError struct {
	error
	status int
}

// HTTPStatus is what notifiers.StatusOf looks for.
func (e *statusError) HTTPStatus() int { return e.status }

func (e *statusError) Unwrap() error { return e.error }
