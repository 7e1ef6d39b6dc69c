package units

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

func TestWhatTheGuidePrints(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{Milliseconds(8.3), "8.3ms"},
		{Milliseconds(12.04), "12ms"},
		{Milliseconds(45), "45ms"},
		{Megabytes(45.2 * (1 << 20)), "45.2 MB"},
		{Megabytes(512 << 20), "512 MB"},
		{Size(2.1 * (1 << 20)), "2.1MB"},
		{Size(12.8 * (1 << 20)), "12.8MB"},
		{Size(1.2 * (1 << 20)), "1.2MB"},
		{fmt.Sprint(Round1(100 * 1248 / 1400.0)), "89.1"},
		{fmt.Sprint(Round1(100 * 2847 / 3203.0)), "88.9"},
		{fmt.Sprint(Round1(100 * 456 / 523.0)), "87.2"},
		{fmt.Sprint(Round1(100 * 45.2 / 512)), "8.8"},
		{fmt.Sprint(Round1(12.4)), "12.4"},
		{fmt.Sprint(Round1(-0.01)), "0"},
		{Quantity(82.3, "%"), "82.3%"},
		{Quantity(15.2, "ms"), "15.2ms"},
		{Quantity(768<<20, "bytes"), "768MB"},
		{Quantity(3900, "s"), "1h5m"},
		{Quantity(5, "s"), "5s"},
		{Quantity(12, "/s"), "12/s"},
		{Quantity(2<<10, "bytes/s"), "2KB/s"},
		{Quantity(1, "bool"), "1"},
		{Quantity(3, ""), "3"},
		{Quantity(math.NaN(), "%"), "unknown"},
		{Quantity(math.Inf(-1), "s"), "unknown"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}

func TestNumberAndSizeAndDuration(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{Number(0), "0"},
		{Number(math.Copysign(0, -1)), "0"},
		{Number(0.123), "0.12"},
		{Number(0.00001234), "0.000012"},
		{Number(-0.5), "-0.5"},
		{Number(0.94), "0.94"},
		{Number(0.95), "1"},
		{Number(2.04), "2"},
		{Number(-2.06), "-2.1"},
		{Number(1e15), "1000000000000000"},
		{Size(0), "0B"},
		{Size(1023), "1023B"},
		{Size(1024), "1KB"},
		{Size(1<<20 - 1), "1MB"}, // never 1024KB
		{Size(-3 << 20), "-3MB"},
		{Size(5 << 50), "5120TB"},
		{Duration(0), "0s"},
		{Duration(250 * time.Millisecond), "250ms"},
		{Duration(59 * time.Second), "59s"},
		{Duration(65*time.Minute + time.Second), "1h5m"},
		{Duration(time.Hour + 5*time.Second), "1h"},
		{Duration(51 * time.Hour), "2d3h"},
		{Duration(-90 * time.Second), "-1m30s"},
		{Duration(math.MinInt64), "-106751d23h"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "250ms": 250 * time.Millisecond, "5s": 5 * time.Second, "1h30m": 90 * time.Minute, "1h 30m": 90 * time.Minute,
		"90d": 90 * 24 * time.Hour, "1w": 168 * time.Hour, "1.5h": 90 * time.Minute, " 5 m ": 5 * time.Minute, "10us": 10 * time.Microsecond, "10µs": 10 * time.Microsecond,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%q is %s (%v), want %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", " ", "5", "s", "-5s", "5x", "5MB", "5%", "1.2.3s", ".s", "5s garbage", "1e3s", "NaNs", "Infs", "0x1s", "٥s",
		"293y", "15251w", "9223372036.854775807s", strings.Repeat("9", 400) + "s",
	} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q passes as %s", text, got)
		}
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1048576": 1 << 20, "512MB": 512 << 20, "512 MB": 512 << 20, "512MiB": 512 << 20, "1.5GiB": 3 << 29, "1KB": 1024, "1kB": 1024, "7B": 7,
	} {
		if got, err := ParseBytes(text); err != nil || got != want {
			t.Errorf("%q is %d (%v), want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MB", "-1", "-1MB", "5s", "5%", "5MB3", "5 MB MB", "1.2.3MB", "99999999999999999999", "9223372036854775808", "8388608TB", strings.Repeat("9", 400)} {
		if got, err := ParseBytes(text); err == nil {
			t.Errorf("%q passes as %d", text, got)
		}
	}
	var size ByteSize
	if err := size.FromScalar("512MB"); err != nil || size != 512<<20 {
		t.Error(size, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"5s", "1h30m", "90d", "768MB", "1.5GiB", "", "-", "1..2", "9223372036.9s", "8388608TB"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := ParseDuration(text); err == nil {
			if d < 0 {
				t.Fatalf("%q is %s", text, d)
			}
			_ = Duration(d)
		}
		if n, err := ParseBytes(text); err == nil && n < 0 {
			t.Fatalf("%q is %d", text, n)
		}
	})
}
