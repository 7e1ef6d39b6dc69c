// Package pluginpb is the protocol between Tocsin and its plugins: the messages
// and services of plugin.proto, go-plugin's handshake, and the passage between
// the messages and Tocsin's own types. The host (notifiers/plugin), the SDK
// (plugins) and the conformance kit (plugins/plugintest) call it; authors of
// plugins in Go need the SDK alone. It starts no process and serves nothing by
// itself.
package pluginpb

//go:generate ./generate.sh

import (
	"context"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// Version1 is the version of the protocol that plugin.proto describes. Host and
// plugin each offer the versions that they know, and go-plugin takes the highest
// that both do.
const Version1 = 1

// Name is what go-plugin calls the services: one connection has them all.
const Name = "tocsin"

// The magic cookie: what the host sets in the plugin's environment, so that a
// plugin that is started by hand can say what it is. It is no secret.
const (
	CookieKey   = "TOCSIN_PLUGIN"
	CookieValue = "0f6f5e3a7c1e4d53b8f1a2d94c6b7e80"
)

// Handshake is go-plugin's handshake of host and plugin. The version in it is
// the one of plugins that negotiate none.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{ProtocolVersion: Version1, MagicCookieKey: CookieKey, MagicCookieValue: CookieValue}
}

// ClientPlugins are the versions that the host speaks, for plugin.ClientConfig's
// VersionedPlugins. What the client dispenses as Name is a *Client.
func ClientPlugins() map[int]plugin.PluginSet {
	return map[int]plugin.PluginSet{Version1: {Name: &GRPC{}}}
}

// Client speaks to one plugin. It is safe for concurrent use.
type Client struct {
	Plugin   PluginClient
	Notifier NotifierClient
	Source   SourceClient
	Conn     *grpc.ClientConn
}

// NewClient makes a Client of a connection.
func NewClient(conn *grpc.ClientConn) *Client {
	return &Client{Plugin: NewPluginClient(conn), Notifier: NewNotifierClient(conn), Source: NewSourceClient(conn), Conn: conn}
}

// GRPC makes the services known to go-plugin. Register is the plugin's side: it
// registers what the plugin serves; nil on the host's side.
type GRPC struct {
	plugin.NetRPCUnsupportedPlugin
	Register func(*grpc.Server)
}

// GRPCServer registers the plugin's services.
func (g *GRPC) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	g.Register(s)
	return nil
}

// GRPCClient returns a *Client.
func (g *GRPC) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return NewClient(conn), nil
}

// MaxMessageBytes is how large a message either side takes: plugins in Go have
// the SDK set it; others must set it themselves, for gRPC's own limit is 4 MiB.
// 5,000 alerts take about 6 MiB.
const MaxMessageBytes = 32 << 20
