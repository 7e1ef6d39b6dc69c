package sqlite

import (
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

func TestNoTwoIDsAreKnownAsOne(t *testing.T) {
	var k knownAlerts
	id := alert.NewID(0x0123456789abcdef, time.UnixMilli(1_790_000_000_000))
	k.know(id, 7)
	if k.row(id) != 7 {
		t.Errorf("%s is not known", id)
	}
	began := id[17:]
	for _, other := range []string{
		"", "a7", id[:16], id[:17], id + "0", id[:16] + "-0" + began, id[:16] + "-+" + began, "0123456789ABCDEF-" + began,
		alert.NewID(0x0123456789abcdee, time.UnixMilli(1_790_000_000_000)),
		alert.NewID(0x0123456789abcdef, time.UnixMilli(1_790_000_000_001)),
		id[:16] + "_" + began, "g" + id[1:], id + "-", id[:17] + "zzzzzzzzzzzzz",
	} {
		k.know(other+"!", 8)
		if k.row(other) != 0 {
			t.Errorf("%q is taken for %q", other, id)
		}
	}
	k.forget()
	if k.row(id) != 0 {
		t.Error("it is not forgotten")
	}
}

func TestWhatIsKnownIsBounded(t *testing.T) {
	var k knownAlerts
	for i := range maxKnownAlerts + 10 {
		k.know(alert.NewID(alert.Fingerprint(i), time.UnixMilli(1)), int64(i)+1) //nolint:gosec // a count
	}
	if len(k.rows) > maxKnownAlerts {
		t.Errorf("%d alerts are known", len(k.rows))
	}
}
