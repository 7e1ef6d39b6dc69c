package signed_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/internal/signed"
)

func TestATokenIsOpenedByItsKeyUntilItExpires(t *testing.T) {
	key, now := signed.NewKey(), time.Unix(1_700_000_000, 0)
	token := signed.Sign(key, []byte(`{"do":"ack"}`), now.Add(time.Hour))
	for _, row := range []struct {
		name  string
		key   []byte
		token string
		at    time.Time
		want  error
	}{
		{"as it was made", key, token, now, nil},
		{"a second before the end", key, token, now.Add(time.Hour - time.Second), nil},
		{"at the end", key, token, now.Add(time.Hour), signed.ErrExpired},
		{"another key", signed.NewKey(), token, now, signed.ErrForged},
		{"no key", nil, token, now, signed.ErrForged},
		{"nothing", key, "", now, signed.ErrForged},
		{"cut", key, token[:len(token)-1], now, signed.ErrForged},
		{"not base64", key, "!" + token[1:], now, signed.ErrForged},
		{"padded", key, token + "=", now, signed.ErrForged},
		{"huge", key, strings.Repeat("A", 100_000), now, signed.ErrForged},
	} {
		t.Run(row.name, func(t *testing.T) {
			payload, err := signed.Open(row.key, row.token, row.at)
			if !errors.Is(err, row.want) || (err == nil) != bytes.Equal(payload, []byte(`{"do":"ack"}`)) {
				t.Errorf("payload %q, err %v, want %v", payload, err, row.want)
			}
		})
	}
}

func TestNoBitOfATokenCanBeChanged(t *testing.T) {
	key, now := signed.NewKey(), time.Unix(1_700_000_000, 0)
	raw, err := base64.RawURLEncoding.DecodeString(signed.Sign(key, []byte("payload"), now.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(raw) * 8 {
		raw[i/8] ^= 1 << (i % 8)
		if _, err := signed.Open(key, base64.RawURLEncoding.EncodeToString(raw), now); !errors.Is(err, signed.ErrForged) {
			t.Fatalf("bit %d: %v", i, err)
		}
		raw[i/8] ^= 1 << (i % 8)
	}
}

func TestKeysDiffer(t *testing.T) {
	if a, b := signed.NewKey(), signed.NewKey(); len(a) != signed.KeyBytes || bytes.Equal(a, b) {
		t.Errorf("%x %x", a, b)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := signed.Open([]byte("key"), token, time.Unix(0, 0)); err == nil {
			t.Errorf("%q was opened", token)
		}
	})
}
