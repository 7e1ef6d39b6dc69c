package httpx

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"syscall"
	"time"

	"code.dny.dev/ssrf"

	"github.com/tocsin-dev/tocsin/internal/secret"
)

// Reach says where a client may connect to. Whatever it says, a link-local
// address, a cloud's metadata, and addresses that are nobody's are refused: no
// one means them, and who makes a request go there reads the machine's own
// credentials.
type Reach struct {
	// Public refuses loopback and private networks too.
	Public bool
	// Named is an address that is allowed all the same, for the operator wrote it
	// himself; zero for none.
	Named netip.Addr
}

// ReachFrom is where a source may connect to whose URL the operator wrote: what
// stands in it is meant, be it link-local as that of a node's own DNS cache, and
// names and redirects lead nowhere that nobody means.
func ReachFrom(u secret.URL) Reach {
	parsed, err := url.Parse(u.Reveal())
	if err != nil {
		return Reach{}
	}
	addr, err := netip.ParseAddr(parsed.Hostname())
	if err != nil {
		return Reach{}
	}
	return Reach{Named: plain(addr)}
}

// AddressError says why nothing is sent to an address.
type AddressError struct {
	Addr netip.Addr
	Is   string // "a link-local address"
	// Private is set where the operator may allow it.
	Private bool
}

// Error says what the address is.
func (e *AddressError) Error() string {
	s := fmt.Sprintf("%s is %s; nothing is sent there", e.Addr, e.Is)
	if e.Private {
		s += " unless private_addresses is allow"
	}
	return s
}

// ClientTo is Client for requests that may go to some addresses only. What is
// checked is the address that is dialed, after the name was resolved and each
// time anew, so that no answer of the DNS, however short its life, leads
// elsewhere. A proxy resolves the names itself: of a request through one only an
// address that stands in the URL is checked, and the proxy may be in a private
// network.
func (o Options) ClientTo(reach Reach, timeout time.Duration) (*http.Client, error) {
	client, err := o.Client(timeout)
	if err != nil {
		return nil, err
	}
	transport, ok := client.Transport.(*http.Transport)
	if !ok {
		return nil, errors.New("the transport is not net/http's")
	}
	g := &guard{reach: reach}
	if chosen := transport.Proxy; chosen != nil {
		transport.Proxy = func(r *http.Request) (*url.URL, error) { return g.proxy(r, chosen) }
	}
	dialer := net.Dialer{Timeout: timeout, KeepAlive: 15 * time.Second}
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		d := dialer
		d.Control = g.control(addr)
		return d.DialContext(ctx, network, addr)
	}
	return client, nil
}

// guard holds what is dialed against what may be.
type guard struct {
	reach   Reach
	proxies sync.Map // host:port of those that were chosen
}

// proxy notes which proxy a request takes, and refuses an address in its URL
// that would be refused without one.
func (g *guard) proxy(r *http.Request, chosen func(*http.Request) (*url.URL, error)) (*url.URL, error) {
	proxy, err := chosen(r)
	if proxy == nil || err != nil {
		return proxy, err
	}
	if err := g.reach.CheckHost(r.URL.Hostname()); err != nil {
		return nil, err
	}
	port := proxy.Port()
	if port == "" { // as net/http has it
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[proxy.Scheme]
	}
	g.proxies.Store(net.JoinHostPort(proxy.Hostname(), port), true)
	return proxy, nil
}

// control returns what a dialer asks of every address that it is about to
// connect to.
func (g *guard) control(addr string) func(network, address string, _ syscall.RawConn) error {
	reach := g.reach
	if _, isProxy := g.proxies.Load(addr); isProxy {
		reach = Reach{}
	}
	return func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("cannot read the address %q", address)
		}
		return reach.Check(at.Addr())
	}
}

// CheckHost checks a host that is an address; any other, a name, is nil.
func (r Reach) CheckHost(host string) error {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return nil //nolint:nilerr // a name is checked when it is dialed
	}
	return r.Check(addr)
}

// Check returns an *AddressError for an address to which nothing is sent.
func (r Reach) Check(addr netip.Addr) error {
	addr = plain(addr)
	switch {
	case r.Named.IsValid() && addr == r.Named:
		return nil
	case isMetadata(addr):
		return &AddressError{Addr: addr, Is: "the address of a cloud's metadata"}
	case addr.IsLinkLocalUnicast():
		return &AddressError{Addr: addr, Is: "a link-local address"}
	case addr.IsUnspecified():
		return &AddressError{Addr: addr, Is: "no address of a host"}
	case addr.IsMulticast():
		return &AddressError{Addr: addr, Is: "a multicast address"}
	case r.Public && addr.IsLoopback():
		return &AddressError{Addr: addr, Is: "this machine's own address", Private: true}
	case r.Public && isPrivate(addr):
		return &AddressError{Addr: addr, Is: "an address of a private network", Private: true}
	}
	// With no word of its own, the library's list of special purposes decides.
	if err := newGuardian(r).SafeAddr(addr); err != nil {
		return &AddressError{Addr: addr, Is: "reserved for special purposes"}
	}
	return nil
}

// plain is an address without what else leads to it: an IPv4 address written as
// one of IPv6, or behind NAT64 (RFC 6052), is itself, and the zone falls away.
func plain(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if ssrf.IPv6NAT64Prefix.Contains(addr) {
		b := addr.As16()
		return netip.AddrFrom4([4]byte(b[12:16]))
	}
	return addr
}

// isMetadata tells the addresses at which clouds answer a machine's questions
// about itself that lie in networks that are private otherwise.
func isMetadata(addr netip.Addr) bool {
	switch addr.String() {
	case "169.254.169.254", // AWS, Azure, Google, Oracle, DigitalOcean, …
		"169.254.170.2", "169.254.170.23", // credentials of AWS's containers
		"100.100.100.200", // Alibaba
		"192.0.0.192",     // Oracle, of old
		"168.63.129.16",   // Azure's wire server
		"fd00:ec2::254", "fd00:ec2::23",
		"fd20:ce::254": // Google
		return true
	}
	return false
}

func isPrivate(addr netip.Addr) bool {
	for _, network := range privateNetworks() {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// privateNetworks are those whose hosts are somebody's own: RFC 1918, RFC 4193,
// and RFC 6598, in which providers, VPNs and Kubernetes put theirs.
func privateNetworks() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("fc00::/7"),
	}
}

// newGuardian makes the library's judge, which knows the registries of special
// purpose addresses.
func newGuardian(reach Reach) *ssrf.Guardian {
	options := []ssrf.Option{ssrf.WithAnyPort()}
	if !reach.Public {
		var four, six []netip.Prefix
		for _, network := range append(privateNetworks(), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")) {
			if network.Addr().Is4() {
				four = append(four, network)
			} else {
				six = append(six, network)
			}
		}
		options = append(options, ssrf.WithAllowedV4Prefixes(four...), ssrf.WithAllowedV6Prefixes(six...))
	}
	return ssrf.New(options...)
}
