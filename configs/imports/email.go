package imports

import (
	"net"
	"net/mail"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// email takes the settings of an entry, and of global where it has none.
func (a *alertmanager) email(m *mapping, out ourReceiver) ourReceiver {
	out.kind = "email"
	host, port, err := net.SplitHostPort(a.smtp(m, "smarthost"))
	if err != nil || host == "" {
		return a.switchedOff(m, out, "no smarthost, as in smtp.example.com:587")
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return a.switchedOff(m, out, "the smarthost's port is not a number")
	}
	out.need("host", host)
	a.smtpServer(m, &out, host, number)
	from, to := a.smtp(m, "from"), m.text("to")
	switch {
	case from == "" || to == "":
		return a.switchedOff(m, out, "no from or no to")
	case strings.Contains(from+to, "{{"):
		return a.switchedOff(m, out, "a template cannot stand in from or to")
	}
	list, err := mail.ParseAddressList(to)
	if err != nil {
		return a.switchedOff(m, out, "to is not a list of mail addresses")
	}
	out.need("from", from)
	a.mailHeaders(m, &out, list)
	a.template(m, &out, "text", "text", false)
	a.template(m, &out, "html", "html", true)
	if m.has("html") && m.text("html") == "" {
		a.r.remark(m.value["html"], m.at("html"), "an HTML part is sent all the same")
	}
	a.resolved(m, &out, false)
	m.taken["threading"] = true // mails of a group are a thread here anyway
	a.others(m)
	return out
}

// smtp is a setting of the entry, or its global default.
func (a *alertmanager) smtp(m *mapping, key string) string {
	return firstOf(m.text(key), a.global.text("smtp_"+key))
}

// smtpServer writes how the server is spoken to.
func (a *alertmanager) smtpServer(m *mapping, out *ourReceiver, host string, port int) {
	before := len(out.settings)
	user := a.smtpLogin(m, out)
	login := slices.Clone(out.settings[before:])
	out.settings = out.settings[:before]

	encryption, usual := "starttls", 587
	implicit, required := a.smtp(m, "force_implicit_tls"), a.smtp(m, "require_tls")
	switch {
	case implicit == "true" || implicit == "" && port == 465:
		encryption, usual = "tls", 465
	case required == "false" && user && !isLoopback(host):
		a.r.lost(m.node, m.path, "require_tls: false beside a login: the password is said over STARTTLS alone here, which the server must offer")
	case required == "false":
		encryption, usual = "none", 25
	}
	if port != usual {
		out.write("port", strconv.Itoa(port))
	}
	if encryption != "starttls" {
		out.write("encryption", encryption)
	}
	if hello := a.smtp(m, "hello"); hello != "" && hello != "localhost" {
		out.set("hello", hello)
	}
	if m.has("tls_config") {
		a.tls(m, "tls_config", out)
	} else {
		a.tls(a.global, "smtp_tls_config", out)
	}
	out.settings = append(out.settings, login...)
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// smtpLogin writes who logs in; false where nobody does.
func (a *alertmanager) smtpLogin(m *mapping, out *ourReceiver) bool {
	user, identity := a.smtp(m, "auth_username"), a.smtp(m, "auth_identity")
	type place struct {
		in  *mapping
		key string
	}
	var found *place
	for _, p := range [...]place{{m, "auth_password"}, {m, "auth_secret"}, {a.global, "smtp_auth_password"}, {a.global, "smtp_auth_secret"}} {
		// Both are read, so that neither is reported.
		if text := p.in.text(p.key) + p.in.text(p.key+"_file"); text != "" && found == nil {
			found = &p
		}
	}
	switch {
	case user == "" && found != nil:
		a.r.remark(m.node, m.path, "a password without auth_username: nobody logs in, as in Alertmanager")
		return false
	case user != "" && found == nil:
		a.r.lost(m.node, m.path, "auth_username without a password: %s does not log in", out.name)
		return false
	case user == "":
		return false
	}
	if identity != "" && identity != user {
		a.r.lost(m.node, m.path, "auth_identity is not taken over: the mailbox that logs in is the one that sends")
	}
	out.set("username", user)
	if strings.HasSuffix(found.key, "auth_secret") {
		out.write("auth", "cram-md5")
	}
	a.secret(out, "password", found.in, found.key)
	return true
}

// ownHeader are those that a mail of ours has itself.
var ownHeader = regexp.MustCompile(`(?i)^(content-.*|from|to|cc|bcc|reply-to|sender|subject|date|message-id|in-reply-to|references|mime-version|return-path|auto-submitted|received|dkim-signature)$`) //nolint:gochecknoglobals // a constant that Go cannot spell

// mailHeaders writes the recipients, and what stands in the headers. Alertmanager
// sends to those of its setting to alone, whatever the headers To and Cc show.
func (a *alertmanager) mailHeaders(m *mapping, out *ourReceiver, to []*mail.Address) {
	var cc []*mail.Address
	var parts []string
	headers := a.r.mapping(orNull(m.take("headers")), m.at("headers"))
	for _, key := range headers.keys {
		text := headers.text(key.Value)
		templated := strings.Contains(text, "{{")
		not := func(why string) { a.r.remark(key, headers.at(key.Value), "not taken over: %s", why) }
		switch own := strings.ToLower(key.Value); {
		case text == "" || isDefault(text):
		case own == "subject":
			a.template(headers, out, key.Value, "subject", false)
		case templated:
			not("a template cannot stand here")
		case own == "reply-to":
			out.set("reply_to", text)
		case own == "cc":
			shown, err := mail.ParseAddressList(text)
			if err != nil || !allIn(shown, to) {
				not("Alertmanager shows it, and sends to those of to alone; who is to get mail belongs into cc")
				continue
			}
			cc = slices.DeleteFunc(slices.Clone(to), func(x *mail.Address) bool { return !allIn([]*mail.Address{x}, shown) })
		case ownHeader.MatchString(own):
			not("the mail has its own")
		default:
			parts = append(parts, quoted(key.Value)+": "+quoted(text))
		}
	}
	if rest := slices.DeleteFunc(slices.Clone(to), func(x *mail.Address) bool { return allIn([]*mail.Address{x}, cc) }); len(rest) > 0 {
		to = rest
	} else {
		cc = nil
	}
	out.needed = append(out.needed, "to")
	out.write("to", flow(addresses(to)))
	if len(cc) > 0 {
		out.write("cc", flow(addresses(cc)))
	}
	if len(parts) > 0 {
		out.write("headers", "{"+strings.Join(parts, ", ")+"}")
	}
}

func allIn(some, all []*mail.Address) bool {
	return !slices.ContainsFunc(some, func(x *mail.Address) bool {
		return !slices.ContainsFunc(all, func(y *mail.Address) bool { return strings.EqualFold(x.Address, y.Address) })
	})
}

func addresses(list []*mail.Address) []string {
	var out []string
	for _, one := range list {
		if one.Name == "" {
			out = append(out, one.Address)
			continue
		}
		plain := one.Name + " <" + one.Address + ">"
		if back, err := mail.ParseAddress(plain); err != nil || *back != *one {
			plain = one.String()
		}
		out = append(out, plain)
	}
	return out
}
