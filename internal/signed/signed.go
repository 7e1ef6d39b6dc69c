// Package signed makes texts that nobody else can make: a payload, when it
// expires, and a keyed hash over both, fit for a URL. It is called by what
// puts links into messages and by the API that is asked by them. It is pure:
// the key and the time are given, and it keeps nothing.
package signed

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"
)

// KeyBytes is the length of a key.
const KeyBytes = 32

// maxTokenBytes is the longest token that is read: what is longer was not
// made here.
const maxTokenBytes = 8 << 10

// ErrForged is returned for a token that was not made with the key.
var ErrForged = errors.New("not made with this key")

// ErrExpired is returned for a token whose time is over.
var ErrExpired = errors.New("expired")

// domain keeps the hash apart from any other use of the same key.
const domain = "tocsin signed token, version 1\x00"

// NewKey returns a key that nobody can guess.
func NewKey() []byte {
	key := make([]byte, KeyBytes)
	_, _ = rand.Read(key) // never fails: it ends the process first
	return key
}

// Sign makes a token of the payload that Open takes until it expires, to the
// second. It is base64url without padding: HMAC-SHA256 (RFC 2104), the expiry
// as 64 bits of Unix seconds, the payload. The same arguments give the same
// token.
func Sign(key, payload []byte, expires time.Time) string {
	signed := binary.BigEndian.AppendUint64(nil, uint64(max(0, expires.Unix()))) //nolint:gosec // not negative
	signed = append(signed, payload...)
	return base64.RawURLEncoding.EncodeToString(append(sum(key, signed), signed...))
}

// Open returns the payload of a token, or ErrForged or ErrExpired. An empty
// key opens nothing.
func Open(key []byte, token string, now time.Time) ([]byte, error) {
	if len(key) == 0 || len(token) > maxTokenBytes {
		return nil, ErrForged
	}
	// Strict, so that each token has one spelling.
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < sha256.Size+8 {
		return nil, ErrForged
	}
	signed := raw[sha256.Size:]
	if !hmac.Equal(raw[:sha256.Size], sum(key, signed)) {
		return nil, ErrForged
	}
	if uint64(max(0, now.Unix())) >= binary.BigEndian.Uint64(signed) { //nolint:gosec // not negative
		return nil, ErrExpired
	}
	return signed[8:], nil
}

func sum(key, signed []byte) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(domain)) // a hash never fails
	_, _ = mac.Write(signed)
	return mac.Sum(nil)
}
