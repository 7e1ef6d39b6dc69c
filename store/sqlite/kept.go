package sqlite

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// table is what must be known of a table to find its rows in a damaged file.
type table struct {
	name string
	// columns are name and type: i, t, r or b, a small letter more for what may
	// be NULL, and k for the row's own number.
	columns  []string
	noRowID  bool
	readable func(row []any) error // what no type says
}

// salvaged are the tables in the order in which they refer to each other. The
// journal comes first: what is in it is nowhere else.
func salvaged() []table {
	const id = "k" // the row's number
	return []table{
		{name: "journal", columns: []string{"seq " + id, "data b"}, readable: readableEntry},
		{name: "applied", columns: []string{"one " + id, "seq i", "ops i", "taken i", "events i", "kept i"}},
		{name: "alerts", columns: []string{
			"seq " + id, "id t", "fingerprint i", "rule t", "category t", "state i", "severities i", "began i", "ended i?", "doc t",
		}, readable: readableAlert},
		{name: "groups", noRowID: true, columns: []string{"key t", "doc t"}, readable: readableDoc[store.Group](1)},
		{name: "members", noRowID: true, columns: []string{"group_key t", "receiver t", "alert i", "told t", "severity i", "at i?"}},
		{name: "deliveries", columns: []string{
			"seq " + id, "id t", "receiver t", "group_key t", "state i", "attempts i", "created_at i?", "next_at i?",
			"settled_at i?", "last_error t", "reference t",
		}},
		{name: "notifications", columns: []string{"seq " + id, "doc t"}, readable: readableDoc[alert.Notification](1)},
		{name: "attempts", noRowID: true, columns: []string{"delivery i", "n i", "at i?", "took i", "status i", "answer t"}},
		{name: "silences", noRowID: true, columns: []string{"id t", "ends_at i", "doc t"}, readable: readableDoc[alert.Silence](2)},
		{name: "acks", columns: []string{"alert " + id, "at i?", "doc t"}, readable: readableDoc[alert.Ack](2)},
		{name: "marks", noRowID: true, columns: []string{"name t", "value t"}},
		{name: "refs", noRowID: true, columns: []string{"group_key t", "opened i", "receiver t", "value t", "at i"}},
		{name: "events", noRowID: true, columns: []string{
			"alert i", "seq i", "at i?", "kind t", "severity i", "from_severity i", "value r?", "threshold r?",
			"receiver t", "delivery t", "reason t",
		}},
		{name: "series", columns: []string{"id " + id, "metric t", "fingerprint i", "labels t"}, readable: readableDoc[alert.Labels](3)},
		{name: "samples", noRowID: true, columns: []string{"series i", "at_ms i", "value r"}},
	}
}

// row makes a row of a record, when it is one of the table.
func (t *table) row(rowid int64, payload []byte) ([]any, error) {
	row, err := record(payload)
	if err != nil || len(row) != len(t.columns) {
		return nil, errPage
	}
	for i, column := range t.columns {
		_, kind, _ := strings.Cut(column, " ")
		v := row[i]
		fits := false
		switch kind[0] {
		case 'k':
			fits = v == nil
			row[i] = rowid
		case 'i':
			_, fits = v.(int64)
		case 't':
			text, ok := v.(string)
			fits = ok && utf8.ValidString(text)
		case 'b':
			_, fits = v.([]byte)
		case 'r':
			// A whole number is stored as one.
			if n, ok := v.(int64); ok {
				row[i], fits = float64(n), true
			} else {
				_, fits = v.(float64)
			}
		}
		if !fits && (v != nil || !strings.HasSuffix(kind, "?")) {
			return nil, errPage
		}
	}
	if t.readable != nil {
		return row, t.readable(row)
	}
	return row, nil
}

// insert is the statement that takes a row; one that is there already stays.
func (t *table) insert() string {
	names := make([]string, len(t.columns))
	for i, column := range t.columns {
		names[i], _, _ = strings.Cut(column, " ")
	}
	return fmt.Sprintf("INSERT OR IGNORE INTO %s (%s) VALUES (?%s)", t.name, strings.Join(names, ", "), strings.Repeat(", ?", len(names)-1))
}

func readableEntry(row []any) error {
	data, _ := row[1].([]byte)
	_, err := decodeEntry(0, data)
	return err
}

func readableAlert(row []any) error {
	var a alert.Alert
	doc, _ := row[len(row)-1].(string)
	if err := json.Unmarshal([]byte(doc), &a); err != nil {
		return err
	}
	if a.ID != row[1] {
		return errPage
	}
	return nil
}

func readableDoc[T any](column int) func(row []any) error {
	return func(row []any) error {
		var v T
		doc, _ := row[column].(string)
		return json.Unmarshal([]byte(doc), &v)
	}
}
