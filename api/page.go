package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
)

// page is an answer for a person's browser. Without a body it is empty.
type page struct {
	status int
	body   []byte
}

// linkDoc is one of the pages behind a message's links.
type linkDoc struct {
	Status int // 0 is 200
	Title  string
	Text   string
	Button string // of a form that posts to the page's own address; empty for none
}

const linkStyle = `body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem;color:#222;background:#fff;overflow-wrap:anywhere}
input,button{font:inherit;padding:.5rem .75rem;margin:.25rem 0}button{cursor:pointer}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#111}}`

const linkTemplate = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">
<title>{{.Title}}</title><style>` + linkStyle + `</style></head>
<body><h1>{{.Title}}</h1><p>{{.Text}}</p>
{{- if .Button}}
<form method="post"><label>Your name, for the record <input name="name" maxlength="80" autocomplete="username"></label><br>
<button type="submit">{{.Button}}</button></form>
{{- end}}
</body>
</html>
`

// linkPage renders a page; html/template makes every text in it inert.
func (s *Server) linkPage(doc linkDoc) (any, error) {
	t, err := template.New("link").Parse(linkTemplate)
	if err != nil {
		return nil, fmt.Errorf("link page: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, doc); err != nil {
		return nil, fmt.Errorf("link page: %w", err)
	}
	orElse(&doc.Status, http.StatusOK)
	return page{doc.Status, b.Bytes()}, nil
}

// writePage sends a page that nobody keeps, frames, indexes or sends on. The
// referrer stays within: with none at all, a browser on plain HTTP would not
// say of the form where it comes from, and the guard would refuse it.
func writePage(w http.ResponseWriter, p page) int {
	h := w.Header()
	sum := sha256.Sum256([]byte(linkStyle))
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+
		"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	write(w, p.status, p.body, "text/html; charset=utf-8", "no-store")
	return p.status
}
