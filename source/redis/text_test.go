package redis

import "testing"

func TestGlobsMatchAsInRedis(t *testing.T) {
	for _, row := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "anything", true},
		{"user:*", "user:1", true},
		{"user:*", "users:1", false},
		{"*:1", "user:1", true},
		{"u*r:*1", "user:x:1", true},
		{"u*r:*1", "user:x:2", false},
		{"?ser", "user", true},
		{"?ser", "ser", false},
		{"[uv]ser", "user", true},
		{"[^u]ser", "user", false},
		{"[a-c]x", "bx", true},
		{"[c-a]x", "bx", true},
		{"[a-c]x", "dx", false},
		{`[\]]x`, "]x", true},
		{`\*`, "*", true},
		{`\*`, "a", false},
		{"[ab", "a", true},
		{"*@*.*", "ann@example.org", true},
		{"a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
	} {
		if got := globMatch(row.pattern, row.text); got != row.want {
			t.Errorf("%q on %q: %v", row.pattern, row.text, got)
		}
	}
}

func TestAnEscapedTextMatchesItselfOnly(t *testing.T) {
	for _, text := range []string{"user:", "a*b", "[x]", `back\slash`, "q?", "^-"} {
		if pattern := globEscape(text); !globMatch(pattern, text) || globUnescape(pattern) != text || isGlob(pattern) || globMatch(pattern, text+"x") {
			t.Errorf("%q became %q", text, pattern)
		}
	}
	if globMatch(globEscape("a*b"), "axb") {
		t.Error("an escaped * still is a glob")
	}
}

// Values of CLUSTER KEYSLOT on Redis 7.0.15.
func TestSlots(t *testing.T) {
	for key, want := range map[string]int{
		"foo": 12182, "bar": 5061, "": 0, "{user1000}.following": 3443, "{user1000}.followers": 3443, "foo{}{bar}": 8363, "123456789": 12739,
	} {
		if got := slotOf(key); got != want {
			t.Errorf("slot of %q is %d, want %d", key, got, want)
		}
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("a*[b-", "abc")
	f.Add(`\`, "x")
	f.Add("[^", "x")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		globMatch(pattern, text)
		if !globMatch(globEscape(text), text) {
			t.Errorf("%q does not match itself", text)
		}
	})
}
