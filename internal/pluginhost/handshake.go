package pluginhost

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	goplugin "github.com/hashicorp/go-plugin"

	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
)

const (
	// maxHandshakeBytes is the longest first line that is read; a certificate has
	// less than a tenth of it.
	maxHandshakeBytes = 16 << 10
	maxQuotedBytes    = 80 // of a plugin's own words in a message
	// socketsVariable tells go-plugin's server where its socket belongs. It marks the
	// processes of a plugin, too: a child inherits it.
	socketsVariable = goplugin.EnvUnixSocketDir
)

// judgeHandshake says why the first line of a plugin's standard output is no
// handshake that can be worked with; nil when it can. go-plugin judges it again,
// and less clearly.
func judgeHandshake(line []byte, readError error, mtls bool, folder string) error {
	if errors.Is(readError, bufio.ErrBufferFull) {
		return fmt.Errorf("it wrote more than %d kB to its standard output where the handshake belongs, a single line; is it a plugin?", maxHandshakeBytes>>10)
	}
	text := strings.TrimSpace(string(line))
	parts := strings.Split(text, "|")
	core, notCore := strconv.Atoi(parts[0])
	if len(parts) < 4 || notCore != nil {
		return fmt.Errorf("it wrote %s to its standard output where the handshake belongs; a plugin writes nothing there before it", quoted(text))
	}
	if core != goplugin.CoreProtocolVersion {
		return fmt.Errorf("it speaks version %d of go-plugin's handshake, not %d", core, goplugin.CoreProtocolVersion)
	}
	version, err := strconv.Atoi(parts[1])
	if err != nil || pluginpb.ClientPlugins()[version] == nil {
		return fmt.Errorf("it speaks version %s of the plugin protocol; this Tocsin speaks %d: update the one or the other", quoted(parts[1]), pluginpb.Version1)
	}
	protocol := goplugin.ProtocolNetRPC
	if len(parts) > 4 {
		protocol = goplugin.Protocol(parts[4])
	}
	if protocol != goplugin.ProtocolGRPC {
		return fmt.Errorf("it serves %s, not grpc", quoted(string(protocol)))
	}
	if mtls && (len(parts) < 6 || len(parts[5]) <= 50) {
		return errors.New("it has no certificate, so it cannot prove who it is; where its language has no mutual TLS, write mtls: false")
	}
	return judgeAddress(parts[2], parts[3], folder)
}

// judgeAddress refuses what is not the plugin's own: the daemon would hand it
// every receiver's settings.
func judgeAddress(network, address, folder string) error {
	switch network {
	case "unix":
		if !isWithin(address, folder) {
			return fmt.Errorf("its socket %s is not in the folder that $%s names", quoted(address), socketsVariable)
		}
		return nil
	case "tcp":
		host, _, err := net.SplitHostPort(address)
		if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
			return fmt.Errorf("it listens on %s, which is not this machine's 127.0.0.1", quoted(address))
		}
		return nil
	}
	return fmt.Errorf("it listens on a network %s; want unix or tcp", quoted(network))
}

// isWithin says whether a path lies below a folder, or is it. Both are absolute.
func isWithin(path, folder string) bool {
	relative, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(relative)
}

// quoted quotes a plugin's words, and not many of them.
func quoted(text string) string {
	if len(text) > maxQuotedBytes {
		return strconv.Quote(text[:maxQuotedBytes]) + "…"
	}
	return strconv.Quote(text)
}
