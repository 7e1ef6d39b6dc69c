package api

import (
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/tocsin-dev/tocsin/internal/signed"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// maxNameRunes is as much of a person's name as the record keeps.
const maxNameRunes = 80

// getLink answers GET /l/{token}: what the link of a message would do, and a
// button that does it. It changes nothing: chats and mail scanners follow every
// link that they see.
func (s *Server) getLink(r *http.Request) (any, error) {
	link, refusal := s.readLink(r)
	if refusal != nil {
		return s.linkPage(*refusal)
	}
	about := s.linkTargets(link)
	if len(about) == 0 {
		return s.linkPage(linkDoc{Title: "Nothing to do", Text: "What the message told of does not fire any more."})
	}
	doc := linkDoc{Title: linkVerb(link) + " " + about + "?", Button: linkVerb(link)}
	if link.Action == notifiers.ActSnooze {
		doc.Text = "Nothing is told of it for " + units.Duration(linkFor(link)) + ", unless it gets worse."
	} else {
		doc.Text = "It is not told of again until it ends or gets worse."
	}
	return s.linkPage(doc)
}

// postLink answers POST /l/{token}: somebody confirmed it.
func (s *Server) postLink(r *http.Request) (any, error) {
	link, refusal := s.readLink(r)
	if refusal != nil {
		return s.linkPage(*refusal)
	}
	if err := r.ParseForm(); err != nil {
		return s.linkPage(linkDoc{Status: http.StatusBadRequest, Title: "Not understood", Text: "The form could not be read. Nothing was changed."})
	}
	by := notifiers.Clip(notifiers.Plain(r.PostForm.Get("name")), maxNameRunes)
	if by == "" {
		by = "somebody with the link"
	}
	text, err := s.press(r.Context(), notifiers.Press{Action: link.Action, Target: link.Target, For: linkFor(link), By: by}, time.Now())
	switch {
	case errors.Is(err, errNothingFires):
		return s.linkPage(linkDoc{Title: "Nothing to do", Text: "What the message told of does not fire any more."})
	case err != nil:
		e := errorOf(err)
		if e.Status >= http.StatusInternalServerError {
			s.Log.Error("link failed", "action", link.Action, "error", err)
		}
		return s.linkPage(linkDoc{Status: e.Status, Title: "That failed", Text: e.Message + ". Nothing was changed."})
	}
	return s.linkPage(linkDoc{Title: "Done", Text: text + "."})
}

// readLink opens the request's link, or returns the page that says why not.
func (s *Server) readLink(r *http.Request) (notifiers.Link, *linkDoc) {
	link, err := notifiers.ReadLink(s.LinkKey, mux.Vars(r)["token"], time.Now())
	switch {
	case errors.Is(err, signed.ErrExpired):
		return link, &linkDoc{Status: http.StatusGone, Title: "This link has expired", Text: "Links in messages work for a week. Nothing was changed."}
	case err != nil:
		return link, &linkDoc{Status: http.StatusNotFound, Title: "No such link", Text: "It is cut off, or was not made here. Nothing was changed."}
	}
	return link, nil
}

// linkTargets says what of a link's alerts still fires; "" for nothing.
func (s *Server) linkTargets(link notifiers.Link) string {
	if s.Router == nil {
		return ""
	}
	about := s.targets(link.Target)
	if len(about) == 0 {
		return ""
	}
	return names(about)
}

func linkFor(link notifiers.Link) time.Duration { return time.Duration(link.Minutes) * time.Minute }

func linkVerb(link notifiers.Link) string {
	if link.Action == notifiers.ActSnooze {
		return "Snooze"
	}
	return "Acknowledge"
}
