package postgres

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestRedactTakesLiteralsOut(t *testing.T) {
	for _, c := range [...]struct{ in, want string }{
		{`SELECT 1`, `SELECT ?`},
		{`SELECT * FROM "Users" WHERE email = 'a@b.c'`, `SELECT * FROM "Users" WHERE email = ?`},
		{`SELECT 'it''s' || 'x'`, `SELECT ? || ?`},
		{`SELECT E'it\'s', 2`, `SELECT ?, ?`},
		{`SELECT e'\\', 'b'`, `SELECT ?, ?`},
		{`SELECT B'101', x'ff', N'n', U&'\0041'`, `SELECT ?, ?, ?, ?`},
		{`SELECT date'2024-01-15'`, `SELECT date?`},
		{`SELECT $1, $12 FROM t2`, `SELECT $1, $12 FROM t2`},
		{`SELECT $$secret$$, $q$a $$ b$q$ FROM t`, `SELECT ?, ? FROM t`},
		{`SELECT a$b, a$$b FROM t`, `SELECT a$b, a$$b FROM t`},
		{`SELECT -1.5e-3, .5, 1_000, 0xfF, 12abc`, `SELECT -?, ?, ?, ?, ?`},
		{`SELECT 1+2`, `SELECT ?+?`},
		{`SELECT a /* key /* nested */ secret */ FROM t -- secret`, `SELECT a FROM t`},
		{"SELECT a -- secret\nFROM t", `SELECT a FROM t`},
		{`SELECT "we""ird 1" FROM "T 2"`, `SELECT "we""ird 1" FROM "T 2"`},
		{`SELECT "cut off`, `SELECT …`},
		{`SELECT 'cut off`, `SELECT ?…`},
		{`SELECT $tag$cut off`, `SELECT ?…`},
		{`SELECT $ta`, `SELECT …`},
		{`SELECT a /* cut off`, `SELECT a`},
		// Whether this ends at the first or the second quote is the server's
		// setting: nothing behind it is shown.
		{`SELECT 'a\' || secret || 'b'`, `SELECT ?…`},
		{`SELECT größe, naïve1 FROM t`, `SELECT größe, naïve1 FROM t`},
		{`ALTER ROLE x PASSWORD 'hunter2'`, `ALTER ROLE x PASSWORD ?`},
		{"", ""},
	} {
		if got := redact(c.in); got != c.want {
			t.Errorf("redact(%s)\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

func TestRedactKeepsAtMost500Characters(t *testing.T) {
	got := redact("SELECT " + strings.Repeat("ä, ", 400))
	if n := utf8.RuneCountInString(got); n != maxTextRunes || !strings.HasSuffix(got, "…") {
		t.Errorf("%d characters: …%s", n, got[len(got)-10:])
	}
}

const marker = "4242"

// sqlWithSecrets writes a statement whose literals and comments all hold the
// marker, and whose names never do.
func sqlWithSecrets(r *rand.Rand, standard bool) string {
	noise := func() string {
		pieces := []string{"x", " ", "--", "/*", "*/", "$", "$$", "''", "\"", "\n", "ä", "E", ";", "$1"}
		return pieces[r.IntN(len(pieces))]
	}
	backslash := func() string { // harmless where a backslash is a character
		if standard && r.IntN(4) == 0 {
			return `\`
		}
		return ""
	}
	fragments := []func() string{
		func() string { return " SELECT a" },
		func() string { return `"Na""me 7"` },
		func() string { return " t1$x" },
		func() string { return " $1" },
		func() string { return ", (" },
		func() string { return " = " },
		func() string { return "'" + noise() + marker + noise() + backslash() + "'" },
		func() string { return ` E'\'` + noise() + marker + `\\'` },
		func() string { return ` e'a\\\'` + marker + `'` },
		func() string { return " U&'" + marker + noise() + "'" },
		func() string { return " x'" + marker + "'" },
		func() string { return " " + marker + ".5e+" + marker },
		func() string { return " ." + marker },
		func() string { return " 0x" + marker + "_" + marker },
		func() string { return " $t$ '" + marker + " $ $$ " + marker + "$t$" },
		func() string { return " $$" + strings.ReplaceAll(noise(), "$", "") + marker + "$$ " },
		func() string { return "/* " + marker + " /* ' */ " + marker + " */" },
		func() string { return "--" + marker + "'\n" },
		func() string { return "\n" },
	}
	var b strings.Builder
	for range 1 + r.IntN(12) {
		b.WriteString(fragments[r.IntN(len(fragments))]())
		if r.IntN(3) == 0 {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// FuzzRedact writes statements full of secrets and cuts them off anywhere.
func FuzzRedact(f *testing.F) {
	for i := range 500 {
		f.Add(uint64(i), 1<<uint(i%12))
	}
	f.Fuzz(func(t *testing.T, seed uint64, cut int) {
		sql := sqlWithSecrets(rand.New(rand.NewPCG(seed, 1)), seed%2 == 0)
		if cut >= 0 && cut < len(sql) {
			sql = sql[:cut]
		}
		if got := redact(sql); strings.Contains(got, marker) {
			t.Fatalf("redact(%q)\nshows %q", sql, got)
		}
	})
}

// FuzzRedactAnything feeds it what no SQL is. A literal left over by the first
// pass would go in the second.
func FuzzRedactAnything(f *testing.F) {
	f.Add("SELECT 'a' \xff $x$ 1")
	f.Fuzz(func(t *testing.T, sql string) {
		got := redact(sql)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > maxTextRunes {
			t.Fatalf("redact(%q) = %q", sql, got)
		}
		if again := redact(got); again != got && utf8.RuneCountInString(got) < maxTextRunes {
			t.Fatalf("redact(%q) = %q, and of that %q", sql, got, again)
		}
	})
}
