package sqlite

// maxKnownAlerts bounds what the writer remembers of alerts, at some five
// megabytes: so many fire in a storm and are told of soon after.
const maxKnownAlerts = 128 << 10

// knownAlerts are the rows of some alerts. Each takes 24 bytes: their ids are
// remembered by what they are made of, and those that are made of something
// else are not.
type knownAlerts struct{ rows map[alertKey]int64 }

// alertKey is an id of alert.NewID.
type alertKey struct{ fingerprint, began uint64 }

// keyOf reads an id as alert.NewID writes it, digit by digit, so that no two
// texts have one key: 16 hexadecimal digits, a hyphen, and a number in base 36.
func keyOf(id string) (key alertKey, ok bool) {
	const hexDigits, maxDigits = 16, 12 // of 36: less than 2^63
	if len(id) < hexDigits+2 || len(id) > hexDigits+1+maxDigits || id[hexDigits] != '-' || id[hexDigits+1] == '0' {
		return key, false
	}
	for i := range hexDigits {
		d := digit(id[i])
		if d >= 16 {
			return key, false
		}
		key.fingerprint = key.fingerprint<<4 | d
	}
	for i := hexDigits + 1; i < len(id); i++ {
		d := digit(id[i])
		if d >= 36 {
			return key, false
		}
		key.began = key.began*36 + d
	}
	return key, true
}

// digit is the value of a digit, and 36 for what is none.
func digit(c byte) uint64 {
	switch {
	case '0' <= c && c <= '9':
		return uint64(c - '0')
	case 'a' <= c && c <= 'z':
		return uint64(c-'a') + 10
	}
	return 36
}

// row is the row of an alert, 0 when it is not known.
func (k *knownAlerts) row(id string) int64 {
	key, ok := keyOf(id)
	if !ok {
		return 0
	}
	return k.rows[key]
}

func (k *knownAlerts) know(id string, seq int64) {
	key, ok := keyOf(id)
	if !ok {
		return
	}
	if k.rows == nil || len(k.rows) >= maxKnownAlerts {
		k.rows = map[alertKey]int64{}
	}
	k.rows[key] = seq
}

// forget gives the memory back, too.
func (k *knownAlerts) forget() { k.rows = nil }
