package alert

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

func marshalled(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func FuzzAppendString(f *testing.F) {
	for _, seed := range []string{"", "x", "<&>\"\\\b\f\n\r\t\x00\x1f\x7f", "é\u2028\u2029😀", "\xff\xed\xa0\x80x\xc3"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got, want := string(AppendString(nil, text)), marshalled(t, text); got != want {
			t.Fatalf("%s\nwant %s", got, want)
		}
	})
}

func TestMapIsInTheOrderOfItsNames(t *testing.T) {
	many := map[string]string{}
	for i := range 20 {
		many[fmt.Sprint("name", i)] = fmt.Sprint(i)
	}
	for _, m := range []map[string]string{{}, {"a": "<1>"}, {"z": "", "a": "2", "é": "\xff"}, many} {
		if got, want := string(AppendMap(nil, m)), marshalled(t, m); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
	if got := string(AppendMap(nil, nil)); got != "{}" {
		t.Errorf("no map = %s", got)
	}
}

func TestTimeIsThatOfRFC3339(t *testing.T) {
	for _, at := range []time.Time{
		{},
		time.Unix(0, 0).UTC(), time.Date(2026, 1, 2, 3, 4, 5, 6_999_999, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		time.Date(2026, 11, 23, 0, 30, 0, 0, time.FixedZone("x", 7200)),
	} {
		if got, want := string(AppendTime(nil, at)), marshalled(t, at); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for _, at := range []time.Time{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if got := string(AppendTime(nil, at)); got != "null" {
			t.Errorf("%v = %s", at, got)
		}
	}
}

func TestHexHasSixteenDigits(t *testing.T) {
	for _, n := range []uint64{0, 1, 0x0123456789abcdef, 1<<64 - 1} {
		if got, want := string(AppendHex(nil, n)), fmt.Sprintf("%016x", n); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
