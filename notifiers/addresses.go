package notifiers

import (
	"fmt"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/secret"
)

// Addresses is what every receiver that speaks HTTP lets the operator say of
// where its messages may go. Link-local addresses and those of clouds' metadata
// are refused whatever it says.
type Addresses struct {
	// PrivateAddresses is allow or refuse: whether messages may go to this machine
	// and to private networks. It is allow, because whoever writes the
	// configuration could reach them anyway, and what is told of alerts often
	// stands beside Tocsin.
	PrivateAddresses string `yaml:"private_addresses"`
}

// What PrivateAddresses may be.
const (
	PrivateAllow  = "allow"
	PrivateRefuse = "refuse"
)

func (a Addresses) reach() httpx.Reach {
	return httpx.Reach{Public: a.PrivateAddresses == PrivateRefuse}
}

// HTTPClient makes a client of the options that goes where it may.
func (a Addresses) HTTPClient(o httpx.Options, timeout time.Duration) (*http.Client, error) {
	return o.ClientTo(a.reach(), timeout)
}

// Control is asked by a net.Dialer of every address that it is about to connect to,
// for receivers that do not speak HTTP.
func (a Addresses) Control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("cannot read the address %q", address)
	}
	return a.reach().Check(at.Addr())
}

// ValidateAddresses returns what is wrong with the setting, and with the URL at
// a path when an address stands in it to which nothing is sent.
func (a Addresses) ValidateAddresses(path string, u secret.URL) problem.List {
	var ps problem.List
	switch a.PrivateAddresses {
	case "", PrivateAllow, PrivateRefuse:
	default:
		ps.AddHint("private_addresses", problem.DidYouMean(a.PrivateAddresses, []string{PrivateAllow, PrivateRefuse}), "%q is not allow or refuse", a.PrivateAddresses)
	}
	if parsed, err := httpx.ParseURL(u, "http", "https"); err == nil {
		if err := a.reach().CheckHost(parsed.Hostname()); err != nil {
			ps.Add(path, "%s", err)
		}
	}
	return ps
}

// JSONSchema says what reflection cannot of the setting.
func (Addresses) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{"private_addresses": schema.Enum("", PrivateAllow, PrivateRefuse)})
}
