package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/internal/client"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

// where says which daemon a subcommand asks, and with what token.
type where struct {
	url, config, token string
}

// tokenVariable holds a token for the subcommands that ask a daemon.
const tokenVariable = "TOCSIN_TOKEN"

func (h *where) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&h.config, "config", "c", "", "ask the daemon that this configuration `FILE` describes")
	cmd.Flags().StringVar(&h.url, "url", "", "ask the daemon at `URL`")
	cmd.Flags().StringVar(&h.token, "token", "", "the `TOKEN`; others on this machine may see it here, and not in $"+tokenVariable)
}

// daemonRefused is an answer that is an error.
type daemonRefused struct {
	status     int
	code, text string
}

func (e *daemonRefused) Error() string { return e.text }

// ask sends one question to each place where the daemon may be, until one
// answers.
func (h *where) ask(ctx context.Context, path string, query url.Values, w world) (json.RawMessage, error) {
	return h.each(w, configs.ScopeRead, func(c *client.Client) (json.RawMessage, error) { return c.Get(ctx, path, query) })
}

// each calls ask with a client of each place where the daemon may be, until one
// answers. The token permits the scope at least, where the configuration has
// such a one.
func (h *where) each(w world, need configs.Scope, ask func(*client.Client) (json.RawMessage, error)) (json.RawMessage, error) {
	places, token, err := h.places(w, need)
	if err != nil {
		return nil, err
	}
	var silent []string
	for _, place := range places {
		c, err := client.New(place, token)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", cmp.Or(h.from(), "URL"), err)
		}
		body, err := ask(c)
		var unreachable *client.UnreachableError
		var refused *client.Error
		switch {
		case errors.As(err, &unreachable):
			silent = append(silent, unreachable.Error())
			continue
		case errors.As(err, &refused):
			return body, &daemonRefused{refused.Status, refused.Code, refused.Message + h.hint(refused, token)}
		}
		return body, err
	}
	if h.from() == "" {
		silent = append(silent, "or say where, with --config or --url")
	}
	return nil, errors.New(strings.ReplaceAll(strings.Join(silent, "; "), "?; or", "? Or"))
}

// from names what says where the daemon is.
func (h *where) from() string {
	switch {
	case h.url != "":
		return "--url"
	case h.config != "":
		return h.config
	}
	return ""
}

func (h *where) hint(refused *client.Error, token secret.String) string {
	switch {
	case refused.Status != http.StatusUnauthorized:
		return ""
	case token.Empty():
		return "; give --token, or --config with its tokens, or set " + tokenVariable
	}
	return "; it comes from " + h.tokenFrom()
}

func (h *where) tokenFrom() string {
	switch {
	case h.token != "":
		return "--token"
	case h.config == "":
		return "$" + tokenVariable
	}
	return "$" + tokenVariable + " or " + h.config
}

// places lists where the daemon may be: its own address before the one that
// others reach it by.
func (h *where) places(w world, need configs.Scope) ([]string, secret.String, error) {
	token := secret.New(cmp.Or(h.token, lookup(w.environ, tokenVariable)))
	if h.config == "" {
		return []string{cmp.Or(h.url, "http://"+configs.Default().Server.Listen)}, token, nil
	}
	config, mistakes := configs.Load(h.config, w.kinds.configs(), configs.Input{Environ: w.environ, Stdin: w.stdin})
	if wrong := ofServer(config, mistakes); wrong.Err() != nil {
		_ = wrong.Write(w.stderr)
		return nil, token, &exitError{exitUnread, "the configuration does not say where the daemon is; give --url"}
	}
	if token.Empty() {
		token = weakest(config.Server.Tokens, need)
	}
	if wrong := ofTokens(mistakes); token.Empty() && wrong.Err() != nil {
		_ = wrong.Write(w.stderr)
		return nil, token, &exitError{exitUnread, "the configuration's tokens cannot be read; give --token, or set " + tokenVariable}
	}
	if h.url != "" {
		return []string{h.url}, token, nil
	}
	host, port, err := net.SplitHostPort(config.Server.Listen)
	if err != nil || port == "0" {
		return nil, token, fmt.Errorf("%s: server.listen is %q, which does not say where the daemon is; give --url", h.config, config.Server.Listen)
	}
	switch ip := net.ParseIP(host); {
	case host == "", ip != nil && ip.IsUnspecified() && ip.To4() != nil:
		host = "127.0.0.1"
	case ip != nil && ip.IsUnspecified():
		host = "::1"
	}
	places := []string{"http://" + net.JoinHostPort(host, port)}
	if external := config.ExternalURL(); config.Server.ExternalURL != "" && !slices.Contains(places, external) {
		places = append(places, external)
	}
	return places, token, nil
}

// ofServer picks the mistakes that keep the daemon from being found: a variable
// that only the daemon has, such as a receiver's URL, is none. Nor is a token.
func ofServer(config *configs.Config, mistakes yamlpos.Mistakes) yamlpos.Mistakes {
	if config == nil {
		return mistakes
	}
	return slices.DeleteFunc(slices.Clone(mistakes), func(m yamlpos.Mistake) bool {
		return m.Path != "server" && !strings.HasPrefix(m.Path, "server.") || isOfTokens(m)
	})
}

// ofTokens picks the mistakes of the tokens.
func ofTokens(mistakes yamlpos.Mistakes) yamlpos.Mistakes {
	return slices.DeleteFunc(slices.Clone(mistakes), func(m yamlpos.Mistake) bool { return !isOfTokens(m) })
}

func isOfTokens(m yamlpos.Mistake) bool { return strings.HasPrefix(m.Path, "server.tokens") }

// weakest is the token that may do the least of those that may do what is
// needed, or else the strongest.
func weakest(tokens []configs.Token, need configs.Scope) secret.String {
	scopes := [...]configs.Scope{configs.ScopeRead, configs.ScopeOperate, configs.ScopeAdmin}
	enough, best := slices.Index(scopes[:], need), secret.String{}
	for rank, scope := range scopes {
		for _, t := range tokens {
			if t.Scope != scope || t.Token.Empty() {
				continue
			}
			if best = t.Token; rank >= enough {
				return best
			}
			break
		}
	}
	return best
}

// lookup finds a variable of the environment.
func lookup(environ []string, name string) string {
	for _, entry := range environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
