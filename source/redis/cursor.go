package redis

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tocsin-dev/tocsin/source"
)

// beginning is the cursor of a listing that has not begun, and of one that is
// done, as in SCAN itself.
const beginning = "0"

// position is where a listing stands: which of the servers, and SCAN's own
// cursor there.
type position struct {
	server int
	cursor uint64
}

// format writes a position as run-cursor: a010f8c2-5248. SCAN's cursors mean
// something to the process that gave them only, for every one hashes its keys
// with a seed of its own; so the run says which server of a cluster it was,
// and that it still is the same process.
func (p position) format(runs []string) string {
	return runs[p.server] + "-" + strconv.FormatUint(p.cursor, 10)
}

// parseCursor finds the position that a cursor stands for. The error wraps
// source.ErrBadCursor.
func parseCursor(text string, runs []string) (position, error) {
	if text == "" || text == beginning {
		return position{}, nil
	}
	run, number, ok := strings.Cut(text, "-")
	cursor, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil {
		return position{}, fmt.Errorf("%w: want one that an earlier page gave", source.ErrBadCursor)
	}
	server := slices.Index(runs, run)
	if server < 0 {
		return position{}, fmt.Errorf("%w: the server that gave it is gone or was restarted; begin anew", source.ErrBadCursor)
	}
	return position{server, cursor}, nil
}

// tagOf shortens the name of a process' run; where that is not known, the
// cluster's name of the node stands in.
func tagOf(runID, nodeID string) string {
	const length = 8 // enough to tell the servers of one cluster apart
	for _, id := range []string{runID, nodeID} {
		if len(id) >= length {
			return id[:length]
		}
	}
	return "any"
}
