package api

import (
	"crypto/sha256"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"
)

type ruleFileDoc struct {
	File  string  `json:"file"`
	Rules int     `json:"rules"` // of the file that run
	ETag  *string `json:"etag"`  // null while the file is missing
}

// getRuleFiles answers GET /api/v1/rulefiles with what can be edited.
func (s *Server) getRuleFiles(r *http.Request) (any, error) {
	if err := parseQuery(r).err(); err != nil {
		return nil, err
	}
	if s.RuleFiles == nil {
		return nil, errNoRuleFiles()
	}
	files, err := s.RuleFiles.RuleFiles(r.Context())
	if err != nil {
		return nil, err
	}
	docs := make([]ruleFileDoc, 0, len(files))
	for i := range files {
		doc := ruleFileDoc{File: files[i].Path, Rules: files[i].Rules}
		if !files[i].Missing {
			tag := tagOf(files[i].Text)
			doc.ETag = &tag
		}
		docs = append(docs, doc)
	}
	return struct {
		Files []ruleFileDoc `json:"files"`
	}{docs}, nil
}

// getRuleFile answers GET /api/v1/rules/{file} with the text as it is written:
// no variable is expanded in it.
func (s *Server) getRuleFile(r *http.Request) (any, error) {
	if err := parseQuery(r).err(); err != nil {
		return nil, err
	}
	if s.RuleFiles == nil {
		return nil, errNoRuleFiles()
	}
	file, err := s.RuleFiles.RuleFile(r.Context(), mux.Vars(r)["file"])
	if err != nil {
		return nil, err
	}
	if file.Missing {
		return nil, notFound("the file " + file.Path + " is not there; PUT with If-None-Match: * makes it")
	}
	return &document{body: file.Text, etag: tagOf(file.Text), contentType: "application/yaml; charset=utf-8"}, nil
}

type ruleFileWrittenDoc struct {
	File  string `json:"file"`
	Rules int    `json:"rules"` // of the file
	Total int    `json:"total"` // rules that run now
	ETag  string `json:"etag"`
}

// putRuleFile answers PUT /api/v1/rules/{file}: the text is checked with the
// configuration and all other rules, written, and runs when the answer comes.
func (s *Server) putRuleFile(r *http.Request) (any, error) {
	if err := parseQuery(r).err(); err != nil {
		return nil, err
	}
	if s.RuleFiles == nil {
		return nil, errNoRuleFiles()
	}
	text, err := ruleText(r)
	if err != nil {
		return nil, err
	}
	written, err := s.RuleFiles.WriteRuleFile(r.Context(), RuleWrite{
		Name: mux.Vars(r)["file"], Text: text, By: s.guard.bearer(r.Header.Get("Authorization")),
		Allow: func(now RuleFile) error { return precondition(r.Header, now) },
	})
	if err != nil {
		return nil, err
	}
	tag, status := tagOf(text), http.StatusOK
	if written.Created {
		status = http.StatusCreated
	}
	return answer{
		status: status, body: ruleFileWrittenDoc{written.Path, written.Rules, written.Total, tag},
		header: [][2]string{{"ETag", tag}},
	}, nil
}

type ruleCheckDoc struct {
	OK       bool         `json:"ok"`
	Rules    int          `json:"rules"`
	Mistakes []mistakeDoc `json:"mistakes"`
	Warnings []mistakeDoc `json:"warnings"`
}

// checkRules answers POST /api/v1/rules/check: 200 also when there are
// mistakes, for finding them is what was asked.
func (s *Server) checkRules(r *http.Request) (any, error) {
	q := parseQuery(r)
	file := q.text("file")
	if err := q.err(); err != nil {
		return nil, err
	}
	if s.RuleFiles == nil {
		return nil, errNoRuleFiles()
	}
	text, err := ruleText(r)
	if err != nil {
		return nil, err
	}
	found, err := s.RuleFiles.CheckRules(r.Context(), file, text)
	if err != nil {
		return nil, err
	}
	doc := ruleCheckDoc{Rules: found.Rules, Mistakes: []mistakeDoc{}, Warnings: []mistakeDoc{}}
	for _, m := range mistakeDocs(found.Mistakes) {
		if m.Severity == severityWarning {
			doc.Warnings = append(doc.Warnings, m)
		} else {
			doc.Mistakes = append(doc.Mistakes, m)
		}
	}
	doc.OK = len(doc.Mistakes) == 0
	return doc, nil
}

func errNoRuleFiles() error {
	return &Error{Status: http.StatusNotFound, Code: "rules_disabled", Message: "this daemon was started without rule files to edit"}
}

// ruleText reads the body of an edit. application/x-www-form-urlencoded is what
// curl --data-binary says of any file.
func ruleText(r *http.Request) ([]byte, error) {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, &Error{Status: http.StatusUnsupportedMediaType, Code: "unsupported_encoding", Message: "the body must not be compressed"}
	}
	allowed := []string{
		"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/plain",
		"application/json", "application/octet-stream", "application/x-www-form-urlencoded",
	}
	if given := r.Header.Get("Content-Type"); given != "" {
		kind, parameters, err := mime.ParseMediaType(given)
		charset := parameters["charset"]
		if err != nil || !slices.Contains(allowed, kind) || charset != "" && !strings.EqualFold(charset, "utf-8") {
			return nil, &Error{Status: http.StatusUnsupportedMediaType, Code: "unsupported_type", Message: "send the rules as application/yaml or text/plain, in UTF-8"}
		}
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, cutOff(err)
	}
	return text, nil
}

// tagOf is the strong entity tag of a file's bytes.
func tagOf(text []byte) string { return fmt.Sprintf(`"%x"`, sha256.Sum256(text)) }

// precondition judges If-Match and If-None-Match as RFC 9110, section 13.2.2,
// says. One of them must be there: who edits says what was edited.
func precondition(h http.Header, now RuleFile) error {
	match, none := strings.Join(h.Values("If-Match"), ","), strings.Join(h.Values("If-None-Match"), ",")
	tag := ""
	if !now.Missing {
		tag = tagOf(now.Text)
	}
	switch {
	case match == "" && none == "" && now.Missing:
		return &Error{Status: http.StatusPreconditionRequired, Code: "precondition_required", Message: "there is no such file; to make it, send If-None-Match: *"}
	case match == "" && none == "":
		return withTag(tag, http.StatusPreconditionRequired, "precondition_required", "send If-Match with the ETag of the text that was edited, or If-Match: * to write over whatever is there")
	case match != "" && now.Missing:
		return withTag("", http.StatusPreconditionFailed, "precondition_failed", "there is no such file; to make it, send If-None-Match: *")
	case match != "" && !hasStrong(match, tag):
		return withTag(tag, http.StatusPreconditionFailed, "precondition_failed", "the file was changed since; get it anew and edit that")
	case none != "" && tag != "" && has(none, tag):
		return withTag(tag, http.StatusPreconditionFailed, "precondition_failed", "the file is there already")
	}
	return nil
}

// withTag tells of the tag that would fit; an empty one is a missing file.
func withTag(tag string, status int, code, message string) *Error {
	e := &Error{Status: status, Code: code, Message: message}
	if tag != "" {
		e.Header = [][2]string{{"ETag", tag}}
	}
	return e
}

// hasStrong says whether If-Match names the tag, by the strong comparison of
// RFC 9110, section 13.1.1. Nothing fits a file that is not there.
func hasStrong(header, tag string) bool {
	if tag == "" {
		return false
	}
	for one := range strings.SplitSeq(header, ",") {
		if one = strings.TrimSpace(one); one == tag || one == "*" {
			return true
		}
	}
	return false
}
