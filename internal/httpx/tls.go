package httpx

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/tocsin-dev/tocsin/internal/problem"
)

// TLS says whom to trust and who we are. Left out, the system's authorities are
// trusted and no certificate is shown.
type TLS struct {
	// CAFile holds the authorities to trust, in PEM, instead of the system's.
	CAFile string `yaml:"ca_file"`
	// CertFile and KeyFile are our own certificate, in PEM. They are read
	// again for every handshake, so that a renewed one needs no restart.
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	// ServerName is checked in the server's certificate instead of the URL's
	// host.
	ServerName string `yaml:"server_name"`
	// InsecureSkipVerify takes any certificate: whoever is between can read along.
	InsecureSkipVerify bool `yaml:"insecure_skip_verify"`
}

func (t TLS) validate() problem.List {
	var ps problem.List
	if t.CertFile != "" && t.KeyFile == "" {
		ps.Add("key_file", "missing beside cert_file")
	}
	if t.KeyFile != "" && t.CertFile == "" {
		ps.Add("cert_file", "missing beside key_file")
	}
	if t.InsecureSkipVerify && t.CAFile != "" {
		ps.Add("insecure_skip_verify", "makes ca_file useless; leave one of them out")
	}
	return ps
}

// Config makes crypto/tls's configuration. It reads the files once, so that a
// wrong one is an error now and not at the first handshake.
func (t TLS) Config() (*tls.Config, error) {
	cfg := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         t.ServerName,
		InsecureSkipVerify: t.InsecureSkipVerify, //nolint:gosec // the operator's own choice, by name
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls.ca_file: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca_file: %s holds no certificate in PEM", t.CAFile)
		}
	}
	if t.CertFile != "" {
		if _, err := t.certificate(nil); err != nil {
			return nil, err
		}
		cfg.GetClientCertificate = t.certificate
	}
	return cfg, nil
}

func (t TLS) certificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("tls.cert_file and tls.key_file: %w", err)
	}
	return &cert, nil
}
