package api

import (
	"errors"
	"net/http"
	"slices"
	"time"
)

// Mistake is one thing that is wrong in what an operator wrote. No field holds
// a secret.
type Mistake struct {
	File         string
	Line, Column int // from 1; 0 where there is no place to point at
	Path         string
	Message      string
	Hint         string // what to write instead; may be empty
	Warning      bool   // a remark that refuses nothing
}

// Refusal is the error of an edit that was refused, with every mistake of it.
type Refusal struct {
	Mistakes []Mistake
	// Text names them all, a line each.
	Text string
}

// Error returns the text.
func (r *Refusal) Error() string { return r.Text }

// ReloadStatus is how the files that the daemon runs by stand.
type ReloadStatus struct {
	OK bool      // what runs is what the files say
	At time.Time // when they were last read
	// Mistakes are why the last edit was refused; warnings are passed over.
	Mistakes []Mistake
}

type mistakeDoc struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Path     string `json:"path"`
	Message  string `json:"message"`
	Hint     string `json:"hint"`
	Severity string `json:"severity"`
}

// The severities of a mistake.
const (
	severityError   = "error"
	severityWarning = "warning"
)

func mistakeDocs(mistakes []Mistake) []mistakeDoc {
	docs := make([]mistakeDoc, 0, len(mistakes))
	for _, m := range mistakes {
		severity := severityError
		if m.Warning {
			severity = severityWarning
		}
		docs = append(docs, mistakeDoc{m.File, m.Line, m.Column, m.Path, m.Message, m.Hint, severity})
	}
	return docs
}

type reloadDoc struct {
	OK bool  `json:"ok"`
	At stamp `json:"at"`
	// MistakeCount is told to everybody, the mistakes to those who may read:
	// the readiness check needs no token, and mistakes quote the files.
	MistakeCount int          `json:"mistake_count"`
	Mistakes     []mistakeDoc `json:"mistakes,omitempty"`
}

func (s *Server) reloadDocFor(r *http.Request) *reloadDoc {
	if s.LastReload == nil {
		return nil
	}
	last := s.LastReload()
	mistakes := slices.DeleteFunc(mistakeDocs(last.Mistakes), func(m mistakeDoc) bool { return m.Severity == severityWarning })
	doc := &reloadDoc{OK: last.OK, At: stamp(last.At), MistakeCount: len(mistakes)}
	if s.guard.allows(r, Read) {
		doc.Mistakes = mistakes
	}
	return doc
}

// What an edit of a rule file can be refused for, beside a Refusal. The text of
// an error that wraps one of them is told to the client.
var (
	ErrNoRuleFile        = errors.New("no such rule file")
	ErrRuleFileAmbiguous = errors.New("several rule files have that name")
	ErrBadRuleFileName   = errors.New("not the name of a rule file")
	ErrNotWritten        = errors.New("the file could not be written")
	ErrNotApplied        = errors.New("the daemon could not work by the new rules")
	ErrStopping          = errors.New("the daemon is stopping") // of a reload, too
)

// editError says what a client is told of an edit that failed; nil when the
// error is not of an edit.
func editError(err error) *Error {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return &Error{Status: http.StatusUnprocessableEntity, Code: "rules_refused", Message: refusal.Text, Mistakes: refusal.Mistakes}
	}
	for _, known := range [...]struct {
		is     error
		status int
		code   string
	}{
		{ErrNoRuleFile, http.StatusNotFound, "not_found"},
		{ErrRuleFileAmbiguous, http.StatusConflict, "ambiguous"},
		{ErrBadRuleFileName, http.StatusBadRequest, "bad_request"},
		{ErrNotWritten, http.StatusConflict, "not_written"},
		{ErrNotApplied, http.StatusUnprocessableEntity, "not_applied"},
		{ErrStopping, http.StatusServiceUnavailable, "stopping"},
	} {
		if errors.Is(err, known.is) {
			return &Error{Status: known.status, Code: known.code, Message: err.Error()}
		}
	}
	return nil
}
