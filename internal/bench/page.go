package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What everyone evaluates: so many series of one metric, with a sample every
// scrape interval, and windows that look at five minutes.
const (
	seriesCount = 10_000
	scrapeEvery = 15 * time.Second
	windowSize  = 5 * time.Minute
)

// page is the exporter that all of them read: m{instance="0"} and on. The first
// answer to a reader of /history/NAME holds the last five minutes with their
// times, so that its windows are full at once.
type page struct {
	*httptest.Server
	mu    sync.Mutex
	told  map[string]bool // who has had the history
	low   bool
	reads map[string]int // by path
}

func newPage() *page {
	p := &page{told: map[string]bool{}, reads: map[string]int{}}
	p.Server = httptest.NewServer(p)
	return p
}

// ServeHTTP answers scrapes with the page, and everything that is posted, as
// vmalert's notifications are, with nothing.
func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		return
	}
	p.mu.Lock()
	low := p.low
	past := strings.HasPrefix(r.URL.Path, "/history/") && !p.told[r.URL.Path]
	p.told[r.URL.Path] = true
	p.reads[r.URL.Path]++
	p.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	var b bytes.Buffer
	b.WriteString("# TYPE m gauge\n")
	now := time.Now()
	for i := range seriesCount {
		if past {
			for at := now.Add(scrapeEvery - windowSize); at.Before(now); at = at.Add(scrapeEvery) {
				line(&b, i, 90)
				b.WriteByte(' ')
				b.WriteString(strconv.FormatInt(at.UnixMilli(), 10))
				b.WriteByte('\n')
			}
		}
		line(&b, i, value(i, low))
		b.WriteByte('\n')
	}
	_, _ = w.Write(b.Bytes())
}

func line(b *bytes.Buffer, i int, value float64) {
	b.WriteString(`m{instance="`)
	b.WriteString(strconv.Itoa(i))
	b.WriteString(`"} `)
	b.WriteString(strconv.FormatFloat(value, 'g', -1, 64))
}

// value of a series: 90, and when the page is low, below the threshold of 85
// for some. One in 997 is so low that the average of five minutes is, too; one
// in 499 is just below, and its average is not.
func value(i int, low bool) float64 {
	switch {
	case low && i%997 == 3:
		return -5000
	case low && i%499 == 7:
		return 84.9
	}
	return 90
}

// fall makes some values fall below the threshold.
func (p *page) fall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.low = true
}

// readBy says how often a path was answered.
func (p *page) readBy(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reads[path]
}
