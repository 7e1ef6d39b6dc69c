package pluginpb

import (
	"errors"
	"math"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/tocsin-dev/tocsin/notifiers"
)

func TestWhatANotifierReturnsComesBack(t *testing.T) {
	for _, err := range []error{
		nil,
		errors.New("connection refused"),
		notifiers.RetryAfter(&notifiers.AnswerError{Host: "https://api", Status: 429}, 90*time.Second),
		notifiers.Permanent(&notifiers.AnswerError{Host: "https://api", Status: 410}),
		notifiers.Permanent(errors.New("not \xff UTF-8")),
	} {
		sent := notifiers.Receipt{Reference: "r", Status: 202, Answer: "well", Note: "a template failed"}
		wire, fault := proto.Marshal(NewNotifyResponse(sent, err))
		if fault != nil {
			t.Fatal(fault)
		}
		var resp NotifyResponse
		if fault := proto.Unmarshal(wire, &resp); fault != nil {
			t.Fatal(fault)
		}
		got, back := resp.Result()
		wait, asked := notifiers.WaitOf(err)
		gotWait, gotAsked := notifiers.WaitOf(back)
		if (back == nil) != (err == nil) || notifiers.IsPermanent(back) != notifiers.IsPermanent(err) || gotWait != wait || gotAsked != asked ||
			notifiers.StatusOf(err) != 0 && notifiers.StatusOf(back) != notifiers.StatusOf(err) {
			t.Errorf("sent %v, came back as %v", err, back)
		}
		if err == nil && got != sent || err != nil && back.Error() != Text(err.Error()) {
			t.Errorf("sent %+v, %v, came back as %+v, %v", sent, err, got, back)
		}
	}
}

// Whatever a plugin answers, an alert is told or tried again.
func TestAnOutcomeThatNobodyKnowsMayPass(t *testing.T) {
	for _, resp := range []*NotifyResponse{
		nil,
		{},
		{Outcome: 99},
		{Outcome: Outcome_OUTCOME_RETRY, RetryAfter: &durationpb.Duration{Seconds: -5}},
		{Outcome: Outcome_OUTCOME_RETRY, Status: 429, RetryAfter: &durationpb.Duration{Seconds: math.MaxInt64, Nanos: -1}},
	} {
		_, err := resp.Result()
		if err == nil || notifiers.IsPermanent(err) {
			t.Errorf("%v: %v", resp, err)
		}
		if wait, _ := notifiers.WaitOf(err); wait < 0 || wait > notifiers.MaxRetryAfter {
			t.Errorf("%v: again after %s", resp, wait)
		}
	}
}
