package imports

import (
	"fmt"
	"strings"
)

// http turns an http_config into the HTTP settings of a receiver.
func (a *alertmanager) http(m *mapping, out *ourReceiver) {
	if proxy := m.text("proxy_url"); proxy != "" {
		out.set("proxy_url", proxy)
	}
	for _, key := range [...]string{"bearer_token", "bearer_token_file"} {
		if text := m.text(key); text != "" {
			out.set(key, text)
		}
	}
	a.basicAuth(m, out)
	a.authorization(m, out)
	a.tls(m, "tls_config", out)
	a.headers(m, out)
	if m.text("follow_redirects") == "true" {
		a.r.remark(m.value["follow_redirects"], m.at("follow_redirects"), "redirects are not followed")
	}
	for _, key := range [...]string{"enable_http2", "proxy_from_environment", "follow_redirects"} {
		m.taken[key] = true // how it is here anyway
	}
	m.rest(true, "not taken over: "+out.name+" is told without it")
}

func (a *alertmanager) basicAuth(m *mapping, out *ourReceiver) {
	n := m.take("basic_auth")
	if n == nil {
		return
	}
	auth := a.r.mapping(n, m.at("basic_auth"))
	out.settings = append(out.settings, [2]string{"basic_auth", auth.only("username", "password", "password_file")})
	auth.rest(true, "not taken over: "+out.name+" is told without it")
}

func (a *alertmanager) authorization(m *mapping, out *ourReceiver) {
	n := m.take("authorization")
	if n == nil {
		return
	}
	auth := a.r.mapping(n, m.at("authorization"))
	kind := auth.text("type")
	credentials, file := auth.text("credentials"), auth.text("credentials_file")
	switch {
	case kind != "" && !strings.EqualFold(kind, "Bearer") && credentials != "":
		out.settings = append(out.settings, [2]string{"headers", "{Authorization: " + quoted(kind+" "+credentials) + "}"})
	case kind != "" && !strings.EqualFold(kind, "Bearer"):
		a.r.lost(n, auth.path, "credentials of the type %s cannot stand in a file: %s is told without them", kind, out.name)
	case credentials != "":
		out.set("bearer_token", credentials)
	case file != "":
		out.set("bearer_token_file", file)
	}
	auth.rest(true, "not taken over: "+out.name+" is told without it")
}

func (a *alertmanager) tls(m *mapping, key string, out *ourReceiver) {
	n := m.take(key)
	if n == nil {
		return
	}
	tls := a.r.mapping(n, m.at(key))
	if len(tls.keys) == 0 {
		return
	}
	if tls.value["ca_file"] != nil && tls.text("insecure_skip_verify") == "true" {
		a.r.remark(tls.value["ca_file"], tls.at("ca_file"), "not taken over: beside insecure_skip_verify it checks nothing")
		delete(tls.value, "ca_file")
	}
	out.settings = append(out.settings, [2]string{"tls", tls.only("ca_file", "cert_file", "key_file", "server_name", "insecure_skip_verify")})
	tls.rest(true, "not taken over: "+out.name+" is told without it")
}

// headers are lists of values, of which the first is taken.
func (a *alertmanager) headers(m *mapping, out *ourReceiver) {
	n := m.take("http_headers")
	if n == nil {
		return
	}
	all := a.r.mapping(n, m.at("http_headers"))
	var parts []string
	for _, key := range all.keys {
		one := a.r.mapping(all.take(key.Value), all.at(key.Value))
		values := append(one.texts("values"), one.texts("secrets")...)
		if len(values) != 1 || one.has("files") {
			a.r.lost(key, one.path, "a header has one value here, and not from a file: %s is told without it", out.name)
			continue
		}
		parts = append(parts, fmt.Sprintf("%s: %s", quoted(key.Value), quoted(values[0])))
	}
	if len(parts) > 0 {
		out.settings = append(out.settings, [2]string{"headers", "{" + strings.Join(parts, ", ") + "}"})
	}
}

// only writes some keys of a mapping in one line.
func (m *mapping) only(keys ...string) string {
	var parts []string
	for _, key := range keys {
		switch text := m.text(key); {
		case text == "true" || text == "false":
			parts = append(parts, key+": "+text)
		case text != "":
			parts = append(parts, key+": "+quoted(text))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
