package alert

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Label is one name and its value.
type Label struct {
	Name  string
	Value string
}

// Labels is a set of labels, sorted by name, each name once and no value empty.
// An absent label and an empty one are the same thing, as in Prometheus. The
// zero value is the empty set. Labels are never changed in place: every method
// that alters returns a new set, so a set may be shared between goroutines.
type Labels []Label

// FromMap makes a label set of a map; empty values are left out.
func FromMap(m map[string]string) Labels {
	ls := make(Labels, 0, len(m))
	for name, value := range m {
		if value != "" {
			ls = append(ls, Label{Name: name, Value: value})
		}
	}
	slices.SortFunc(ls, func(a, b Label) int { return strings.Compare(a.Name, b.Name) })
	return ls
}

// LabelsOf makes a label set of name, value, name, value, and so on. A later
// pair wins over an earlier one of the same name. It panics on an odd count,
// which only a programming error can cause.
func LabelsOf(pairs ...string) Labels {
	if len(pairs)%2 != 0 {
		panic("alert.LabelsOf: odd number of arguments")
	}
	m := make(map[string]string, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return FromMap(m)
}

// Get returns the value of a label, or "" when the set does not have it.
func (l Labels) Get(name string) string {
	for i := range l {
		if l[i].Name == name {
			return l[i].Value
		}
	}
	return ""
}

// IsLabelName says whether a label may be called so: letters, digits and _, not
// a digit first, as in Prometheus.
func IsLabelName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// Has says whether the set has a label of that name.
func (l Labels) Has(name string) bool { return l.Get(name) != "" }

// With returns the set with one label set; an empty value takes the label away.
func (l Labels) With(name, value string) Labels {
	return l.Merge(LabelsOf(name, value)).dropIfEmpty(name, value)
}

func (l Labels) dropIfEmpty(name, value string) Labels {
	if value != "" {
		return l
	}
	return l.Without(name)
}

// Without returns the set less the named labels.
func (l Labels) Without(names ...string) Labels {
	out := make(Labels, 0, len(l))
	for _, label := range l {
		if !slices.Contains(names, label.Name) {
			out = append(out, label)
		}
	}
	return out
}

// Only returns the set with just the named labels.
func (l Labels) Only(names ...string) Labels {
	out := make(Labels, 0, len(names))
	for _, label := range l {
		if slices.Contains(names, label.Name) {
			out = append(out, label)
		}
	}
	return out
}

// Merge returns the union of both sets; where both have a name, over wins.
func (l Labels) Merge(over Labels) Labels {
	if len(over) == 0 {
		return l
	}
	out := make(Labels, 0, len(l)+len(over))
	i, j := 0, 0
	for i < len(l) && j < len(over) {
		switch c := strings.Compare(l[i].Name, over[j].Name); {
		case c < 0:
			out = append(out, l[i])
			i++
		case c > 0:
			out = append(out, over[j])
			j++
		default:
			out = append(out, over[j])
			i++
			j++
		}
	}
	out = append(out, l[i:]...)
	return append(out, over[j:]...)
}

// Subset says whether every label of l stands in other with the same value.
func (l Labels) Subset(other Labels) bool {
	j := 0
	for i := range l {
		for j < len(other) && other[j].Name < l[i].Name {
			j++
		}
		if j >= len(other) || other[j] != l[i] {
			return false
		}
	}
	return true
}

// Common returns the labels that both sets share with the same value.
func (l Labels) Common(other Labels) Labels {
	out := make(Labels, 0, min(len(l), len(other)))
	for _, label := range l {
		if other.Get(label.Name) == label.Value {
			out = append(out, label)
		}
	}
	return out
}

// Equal says whether both sets are the same.
func (l Labels) Equal(other Labels) bool { return slices.Equal(l, other) }

// Map returns the set as a map of its own.
func (l Labels) Map() map[string]string {
	m := make(map[string]string, len(l))
	for _, label := range l {
		m[label.Name] = label.Value
	}
	return m
}

// String writes the set as {name="value", …}, the notation of Prometheus.
func (l Labels) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, label := range l {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(label.Name)
		b.WriteByte('=')
		b.WriteString(strconv.Quote(label.Value))
	}
	b.WriteByte('}')
	return b.String()
}

// MarshalJSON writes the set as an object.
func (l Labels) MarshalJSON() ([]byte, error) { return json.Marshal(l.Map()) }

// UnmarshalJSON reads an object of strings.
func (l *Labels) UnmarshalJSON(data []byte) error {
	var m map[string]string
	if err := json.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("labels: %w", err)
	}
	*l = FromMap(m)
	return nil
}

// Fingerprint identifies a label set in 64 bits.
type Fingerprint uint64

// FNV-1a, 64 bit.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
	separator = 0xff // never stands in UTF-8, so no two sets run together
)

// Fingerprint hashes the set: FNV-1a over each name, 0xff, value, 0xff in the
// order of the names. It equals model.LabelSet.Fingerprint of
// prometheus/common, and so the fingerprints of Alertmanager's API.
func (l Labels) Fingerprint() Fingerprint {
	sum := uint64(fnvOffset)
	for i := range l {
		sum = fnvAdd(sum, l[i].Name)
		sum = fnvAdd(sum, l[i].Value)
	}
	return Fingerprint(sum)
}

func fnvAdd(sum uint64, s string) uint64 {
	for i := range len(s) {
		sum = (sum ^ uint64(s[i])) * fnvPrime
	}
	return (sum ^ separator) * fnvPrime
}

// String writes the fingerprint as 16 hexadecimal digits.
func (f Fingerprint) String() string { return fmt.Sprintf("%016x", uint64(f)) }

// ParseFingerprint reads what String wrote.
func ParseFingerprint(s string) (Fingerprint, error) {
	n, err := strconv.ParseUint(s, 16, 64)
	if err != nil || len(s) != 16 {
		return 0, fmt.Errorf("fingerprint %q: want 16 hexadecimal digits", s)
	}
	return Fingerprint(n), nil
}

// MarshalText writes the fingerprint as String does.
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (f *Fingerprint) UnmarshalText(text []byte) error {
	got, err := ParseFingerprint(string(text))
	*f = got
	return err
}

// Clone returns a copy that shares no memory with the labels.
func (l Labels) Clone() Labels {
	out := make(Labels, len(l))
	for i := range l {
		out[i] = Label{Name: strings.Clone(l[i].Name), Value: strings.Clone(l[i].Value)}
	}
	return out
}
