package postgres

import (
	"context"
	"time"
)

// ownStatements keeps the monitor's statements out of the application's
// numbers. A role of its own is left out by the query. Where the application
// connects by the same role, as with the first DATABASE_URL at hand, and may
// not switch tracking off, they are told by the mark in their text.
type ownStatements struct {
	shared  bool // the application was seen to use the monitor's role, or may
	keys    map[statementKey]bool
	foreign map[statementKey]bool // of the same role, and not the monitor's
	next    time.Time             // texts are not read again before
}

const learnEvery = time.Minute // reading all texts costs 40 ms on a full table

// counted says whether statements of the monitor's role are part of the
// numbers.
func (o *ownStatements) counted(id *identity) bool {
	return o.shared || deref(id.StatementsTrack) == "none"
}

// learn finds the monitor's statements among those of its role.
func (o *ownStatements) learn(ctx context.Context, q reader, id *identity, rows []statementRow, at time.Time) error {
	if !o.shared || deref(id.StatementsTrack) == "none" || at.Before(o.next) {
		return nil
	}
	var unknown []statementKey
	for _, row := range rows {
		if row.QueryID == nil || row.UserID != id.RoleID {
			continue
		}
		if key := (statementKey{row.UserID, *row.QueryID, row.TopLevel}); !o.keys[key] && !o.foreign[key] {
			unknown = append(unknown, key)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	o.next = at.Add(learnEvery)
	sql, err := statement("own_statements", id)
	if err != nil {
		return err
	}
	ids, err := rowsOf[queryID](ctx, q, sql)
	if err != nil {
		return err
	}
	mine := map[int64]bool{}
	for _, id := range ids {
		mine[id.QueryID] = true
	}
	keys, foreign := map[statementKey]bool{}, map[statementKey]bool{}
	for _, row := range rows {
		if row.QueryID != nil && row.UserID == id.RoleID {
			key := statementKey{row.UserID, *row.QueryID, row.TopLevel}
			if mine[key.query] {
				keys[key] = true
			} else {
				foreign[key] = true
			}
		}
	}
	o.keys, o.foreign = keys, foreign
	return nil
}
