package sqlite

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
	"github.com/tocsin-dev/tocsin/store/storetest"
)

func encodeRow(kind byte, code func(coder)) []byte {
	e := new(encoder)
	e.reset()
	e.b = append(e.b, codecVersion, kind)
	code(e)
	return e.seal()
}

// same compares times by the moment, unknown numbers as equal, empty as none.
func same() cmp.Options {
	return cmp.Options{
		cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(alert.Matcher{}),
		cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
		cmp.Comparer(func(a, b alert.Number) bool {
			return !a.Known() && !b.Known() || math.Float64bits(float64(a)) == math.Float64bits(float64(b))
		}),
	}
}

func TestWhatIsEncodedIsDecoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := storetest.Changes("x").Draw(t, "change")
		e, err := decodeEntry(1, encodeRow(rowChange, func(to coder) { codeChange(to, &c) }))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, e.change, same()); diff != "" {
			t.Fatal(diff)
		}
		outcomes := rapid.SliceOfN(storetest.Settlements("a", "b"), 0, 3).Draw(t, "outcomes")
		e, err = decodeEntry(1, encodeRow(rowOutcome, func(to coder) { list(to, &outcomes, codeSettlement) }))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(outcomes, e.outcomes, same()); diff != "" {
			t.Fatal(diff)
		}
	})
}

// A field that is added to a type and forgotten here would be lost.
func TestEveryFieldIsEncoded(t *testing.T) {
	var c store.Change
	fill(reflect.ValueOf(&c).Elem(), 1)
	e, err := decodeEntry(1, encodeRow(rowChange, func(to coder) { codeChange(to, &c) }))
	if err != nil {
		t.Fatal(err)
	}
	var o store.Settlement
	fill(reflect.ValueOf(&o).Elem(), 1)
	outcomes := []store.Settlement{o}
	f, err := decodeEntry(1, encodeRow(rowOutcome, func(to coder) { list(to, &outcomes, codeSettlement) }))
	if err != nil {
		t.Fatal(err)
	}
	// Seq is given when an event is written, and Reference to each attempt.
	but := cmp.Options{same(), cmpopts.IgnoreFields(alert.Event{}, "Seq"), cmpopts.IgnoreFields(alert.Notification{}, "Reference", "Attempt")}
	if diff := cmp.Diff(c, e.change, but); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(outcomes, f.outcomes, but); diff != "" {
		t.Error(diff)
	}
}

// fill sets every field to something that is not zero.
func fill(v reflect.Value, n int) {
	switch v.Kind() { //nolint:exhaustive // the others do not occur, and panic
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(int64(n), 5).UTC()))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), n+i+1)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), n+i)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n+i)
		}
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"k": fmt.Sprint(n)}))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.String:
		v.SetString(fmt.Sprint("text ", n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(n))
	case reflect.Uint8, reflect.Uint64:
		v.SetUint(uint64(1 + n%3)) //nolint:gosec // small
	case reflect.Float64:
		v.SetFloat(float64(n))
	case reflect.Bool:
		v.SetBool(true)
	default:
		panic(v.Type().String())
	}
}

func TestARowOfAnotherReleaseIsRefusedInWords(t *testing.T) {
	row := encodeRow(rowChange, func(to coder) { codeChange(to, &store.Change{DropGroups: []string{"g"}}) })
	row[0] = codecVersion + 1
	if _, err := decodeEntry(7, row); err == nil || errors.Is(err, errCut) || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("error is %v", err)
	}
	unknown := encodeRow(99, func(coder) {})
	if _, err := decodeEntry(7, unknown); err == nil || !strings.Contains(err.Error(), "kind 99") {
		t.Errorf("error is %v", err)
	}
}

func TestAChangeOfOneByteIsSeen(t *testing.T) {
	c := store.Change{Alerts: []alert.Alert{{ID: "a", State: alert.Firing, Message: strings.Repeat("long ", 50)}}}
	row := encodeRow(rowChange, func(to coder) { codeChange(to, &c) })
	for i := range row {
		spoilt := append([]byte(nil), row...)
		spoilt[i] ^= 0x20
		if _, err := decodeEntry(1, spoilt); err == nil {
			t.Errorf("byte %d of %d may change", i, len(row))
		}
	}
}

func TestSharedTextsAndTimesTakeAFewBytes(t *testing.T) {
	var c store.Change
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for i := range 64 {
		c.Alerts = append(c.Alerts, alert.Alert{
			ID: fmt.Sprintf("0123456789ab%04x-abcdefgh", i), Rule: "cache-hit-rate", Category: "cache", Metric: "cache.hit_rate",
			State: alert.Firing, Message: "Cache hit rate below 70%", StartsAt: at, PendingAt: at, UpdatedAt: at,
			Annotations: map[string]string{"runbook_url": "https://example.com/runbooks/cache-hit-rate"},
		})
	}
	if n := len(encodeRow(rowChange, func(to coder) { codeChange(to, &c) })); n > 64*140 {
		t.Errorf("%d bytes an alert", n/64)
	}
}

// FuzzDecode sees that nothing that stands in a row makes the decoder panic, or
// allocate out of proportion.
func FuzzDecode(f *testing.F) {
	var c store.Change
	fill(reflect.ValueOf(&c).Elem(), 1)
	f.Add(byte(rowChange), encodeRow(rowChange, func(to coder) { codeChange(to, &c) }))
	outcomes := []store.Settlement{{ID: "d", State: alert.DeliverySent, Events: []alert.Event{{AlertID: "a"}}}}
	f.Add(byte(rowOutcome), encodeRow(rowOutcome, func(to coder) { list(to, &outcomes, codeSettlement) }))
	f.Add(byte(rowRevival), encodeRow(rowRevival, func(to coder) { codeRevival(to, &revival{"d", time.Unix(5, 0)}) }))
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		_, _ = decodeEntry(1, body)
		// With a frame that fits, so that the fields themselves are reached.
		if len(body) > headBytes+sumBytes {
			body = body[headBytes : len(body)-sumBytes]
		}
		row := encodeRow(kind, func(to coder) { to.(*encoder).b = append(to.(*encoder).b, body...) }) //nolint:forcetypeassert // it is
		e, err := decodeEntry(1, row)
		if err != nil {
			return
		}
		if rowsOf(&e.change) > len(row) {
			t.Errorf("%d rows of %d bytes", rowsOf(&e.change), len(row))
		}
	})
}

func rowsOf(c *store.Change) (rows int) {
	for _, s := range changeStages(c) {
		rows += s.rows
	}
	return rows
}
