package chat

import (
	"fmt"
	"net/http"
	"time"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Settings are a receiver's, as far as making it takes them.
type Settings interface {
	Validate() problem.List
	Client(timeout time.Duration) (*http.Client, error)
}

// Base is what every receiver here has beside its settings. It is not changed.
type Base struct {
	Client *http.Client
	Agent  string           // the User-Agent
	Links  *notifiers.Links // nil makes none
}

// NewBase checks the settings of a receiver of that type, and makes a client of them
// where none is given.
func NewBase(kind string, cfg Settings, client *http.Client, links *notifiers.Links) (Base, error) {
	if err := cfg.Validate().Err(); err != nil {
		return Base{}, fmt.Errorf("%s: %w", kind, err)
	}
	if client == nil {
		made, err := cfg.Client(0) // the context of each call has the deadline
		if err != nil {
			return Base{}, fmt.Errorf("%s: %w", kind, err)
		}
		client = made
	}
	return Base{Client: client, Agent: notifiers.UserAgent(), Links: links}, nil
}

// Preview shows a message as it would be sent.
func Preview(message any, note string) (notifiers.Preview, error) {
	body, err := JSON(message)
	return notifiers.Preview{ContentType: "application/json", Body: body, Note: note}, err
}
