package notifiers_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/signed"
	"github.com/tocsin-dev/tocsin/notifiers"
)

func TestALinkSaysWhatItDoesAndLastsAWeek(t *testing.T) {
	key := signed.NewKey()
	n := notifiers.Sample(alert.Firing, 2)
	url := notifiers.NewLinks(key).Snooze(&n, 8*time.Hour)
	token, ok := strings.CutPrefix(url, n.ExternalURL+"/l/")
	if !ok || len(url) > 500 {
		t.Fatalf("link %q", url)
	}
	if again := notifiers.NewLinks(key).Snooze(&n, 8*time.Hour); again != url {
		t.Error("a retry has another link")
	}
	link, err := notifiers.ReadLink(key, token, n.At.Add(7*24*time.Hour-time.Second))
	want := notifiers.Link{
		Target: notifiers.Target{Receiver: "ops", Alerts: []string{n.Alerts[0].ID, n.Alerts[1].ID}},
		Action: notifiers.ActSnooze, Minutes: 480,
	}
	if err != nil || !reflect.DeepEqual(link, want) {
		t.Errorf("%+v, %v, want %+v", link, err, want)
	}
	if _, err := notifiers.ReadLink(key, token, n.At.Add(7*24*time.Hour)); !errors.Is(err, signed.ErrExpired) {
		t.Errorf("after a week: %v", err)
	}
	for _, payload := range []string{`{"do":"ack"`, `{"do":"silence","m":5}`, `{"do":"snooze"}`, `{}`} {
		forged := signed.Sign(key, []byte(payload), n.At.Add(time.Hour))
		if _, err := notifiers.ReadLink(key, forged, n.At); !errors.Is(err, signed.ErrForged) {
			t.Errorf("%s: %v", payload, err)
		}
	}
}

func TestWhatALinkIsAbout(t *testing.T) {
	more := notifiers.Sample(alert.Firing, 1)
	more.StillFiring = 3
	cut := notifiers.Sample(alert.Firing, 1)
	cut.Truncated = 3
	digest := notifiers.Sample(alert.Firing, 1)
	digest.Digest = &alert.Digest{Groups: 2, Alerts: 2}
	test := notifiers.Sample(alert.Firing, 1)
	test.Kind = alert.KindTest
	nowhere := notifiers.Sample(alert.Firing, 1)
	nowhere.ExternalURL = ""
	for name, row := range map[string]struct {
		n     alert.Notification
		names int
		group bool
	}{
		"two alerts":                   {notifiers.Sample(alert.Firing, 2), 2, false},
		"more than fit":                {notifiers.Sample(alert.Firing, 6), 0, true},
		"some are not listed":          {more, 0, true},
		"some were left out":           {cut, 0, true},
		"resolved":                     {notifiers.Sample(alert.Resolved, 1), 0, false},
		"many groups":                  {digest, 0, false},
		"a test":                       {test, 0, false},
		"nobody knows where Tocsin is": {nowhere, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			target := notifiers.TargetOf(&row.n, 5)
			if len(target.Alerts) != row.names || (target.Group == notifiers.GroupID(row.n.GroupKey)) != row.group {
				t.Errorf("%+v", target)
			}
			made := notifiers.NewLinks([]byte("key")).Acknowledge(&row.n) != ""
			if want := (row.names > 0 || row.group) && row.n.ExternalURL != ""; made != want {
				t.Errorf("a link was made: %t", made)
			}
			if notifiers.NewLinks(nil).Acknowledge(&row.n) != "" {
				t.Error("a link without a key")
			}
		})
	}
}
