package email

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// OAuth2 says where the access tokens come from with which a mailbox is opened
// that takes no password any more: by the client's own credentials (Microsoft
// 365), or by a refresh token (Google).
type OAuth2 struct {
	// TokenURL gives access tokens, as in
	// https://login.microsoftonline.com/TENANT/oauth2/v2.0/token.
	TokenURL secret.URL `yaml:"token_url"`
	// ClientID and ClientSecret are the application's.
	ClientID     string        `yaml:"client_id"`
	ClientSecret secret.String `yaml:"client_secret"`
	// RefreshToken is exchanged for access tokens; without one the client's own
	// credentials are.
	RefreshToken secret.String `yaml:"refresh_token"`
	// Scopes are asked for, as in https://outlook.office365.com/.default.
	Scopes []string `yaml:"scopes"`
}

func (o *OAuth2) empty() bool { return o.TokenURL.Empty() && o.ClientID == "" }

func (o *OAuth2) validate(asked, password bool) problem.List {
	var ps problem.List
	switch {
	case o.empty():
		return nil // xoauth2 with a token as password
	case !asked:
		ps.AddHint("", "write auth: xoauth2", "only xoauth2 takes its tokens")
	case password:
		ps.AddHint("", "take password away", "only one of oauth2 and password can be used")
	}
	if _, err := httpx.ParseURL(o.TokenURL, "https", "http"); err != nil {
		ps.Add("token_url", "%s", err)
	}
	if o.ClientID == "" {
		ps.Add("client_id", "missing beside token_url")
	}
	if o.ClientSecret.Empty() && o.RefreshToken.Empty() {
		ps.Add("client_secret", "missing: without it and without refresh_token there is nothing to show")
	}
	return ps
}

// fetch gets a new token; ctx has the deadline.
func (o *OAuth2) fetch(ctx context.Context, last *oauth2.Token) (*oauth2.Token, error) {
	if o.RefreshToken.Empty() {
		c := clientcredentials.Config{
			ClientID: o.ClientID, ClientSecret: o.ClientSecret.Reveal(), TokenURL: o.TokenURL.Reveal(), Scopes: o.Scopes,
		}
		return c.Token(ctx)
	}
	refresh := o.RefreshToken.Reveal()
	if last != nil && last.RefreshToken != "" {
		refresh = last.RefreshToken // some give a new one each time
	}
	c := oauth2.Config{
		ClientID: o.ClientID, ClientSecret: o.ClientSecret.Reveal(), Scopes: o.Scopes, Endpoint: oauth2.Endpoint{TokenURL: o.TokenURL.Reveal()},
	}
	return c.TokenSource(ctx, &oauth2.Token{RefreshToken: refresh}).Token()
}

// credentials are what messages log in with. They are safe for concurrent use.
type credentials struct {
	cfg    *Config
	client *http.Client

	turn  chan struct{} // holds one: who has it may use token
	token *oauth2.Token // the last one; nil for none
}

func newCredentials(c *Config) (*credentials, error) {
	cr := &credentials{cfg: c, turn: make(chan struct{}, 1)}
	if c.OAuth2.empty() {
		return cr, nil
	}
	client, err := c.HTTPClient(httpx.Options{}, 0) // the context of each call has the deadline
	if err != nil {
		return nil, err
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	cr.client = client
	return cr, nil
}

// secret returns the password, or a token that is good.
func (cr *credentials) secret(ctx context.Context) (secret.String, error) {
	if cr.client == nil {
		return cr.cfg.Password, nil
	}
	select {
	case cr.turn <- struct{}{}:
		defer func() { <-cr.turn }()
	case <-ctx.Done():
		return secret.String{}, cr.clean(ctx.Err())
	}
	if !cr.token.Valid() {
		token, err := cr.cfg.OAuth2.fetch(context.WithValue(ctx, oauth2.HTTPClient, cr.client), cr.token)
		if err != nil {
			return secret.String{}, cr.clean(err)
		}
		cr.token = token
	}
	return secret.New(cr.token.AccessToken), nil
}

// refused has the next message get a new token: the server did not take this one.
func (cr *credentials) refused() {
	select {
	case cr.turn <- struct{}{}:
		if cr.token != nil {
			cr.token.AccessToken = ""
		}
		<-cr.turn
	default: // somebody is getting one
	}
}

// clean says why there is no token, without what the client showed.
func (cr *credentials) clean(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: no token before the deadline: %w", cr.cfg.OAuth2.TokenURL.Redacted(), context.DeadlineExceeded)
	}
	why := secret.CleanError(err).Error()
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response != nil {
		why = fmt.Sprintf("answered %d %s %s", refused.Response.StatusCode, refused.ErrorCode, refused.ErrorDescription)
	}
	o := &cr.cfg.OAuth2
	return fmt.Errorf("no token from %s: %s", o.TokenURL.Redacted(),
		notifiers.Redact(why, o.ClientSecret.Reveal(), o.RefreshToken.Reveal(), o.TokenURL.Reveal()))
}
