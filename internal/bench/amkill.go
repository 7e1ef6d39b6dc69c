package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"
)

// kill lets alerts come and go while the server is killed once, and then five
// times. Their senders send them every second as long as they fire, and their
// end for some seconds, as Prometheus does for a quarter of an hour.
func (b *amBench) kill(ctx context.Context) {
	for _, kills := range [...]int{1, 5} {
		o := amOptions{alerts: b.sizes.lives, groupBy: "['...']", groupWait: time.Second, groupInterval: 2 * time.Second}
		texts := b.each(ctx, o, func(r *amRun) ([]string, error) {
			lives := lives{run: r, alerts: b.sizes.lives, life: b.sizes.life}
			var senders sync.WaitGroup
			senders.Go(lives.send)
			senders.Go(lives.silence)
			err := r.killTimes(kills, lives.span())
			senders.Wait()
			if err != nil {
				return nil, err
			}
			time.Sleep(15 * time.Second) // what is late may come
			lost, err := lives.lost()
			sum := r.sink.sum()
			return []string{fmt.Sprintf("%d of %d / %d / %d of %d", sum.unresolved, sum.told, sum.again, lost, len(lives.silences))}, err
		})
		rows(texts, [2]string{
			fmt.Sprintf("%d SIGKILL over %s alerts of %.0f s each: resolutions never sent / firings sent again / silences lost after a 200", kills, count(b.sizes.lives), b.sizes.life.Seconds()),
			fmt.Sprintf("0 / at most %d / 0", kills),
		})
	}
}

// once posts each alert a single time, while the server is killed five times.
func (b *amBench) once(ctx context.Context) {
	o := amOptions{alerts: b.sizes.lives, groupBy: "['...']", groupWait: 5 * time.Second, groupInterval: 5 * time.Second}
	texts := b.each(ctx, o, func(r *amRun) ([]string, error) {
		lives := lives{run: r, alerts: b.sizes.lives, life: b.sizes.life}
		var sender sync.WaitGroup
		taken := make([]bool, b.sizes.lives)
		sender.Go(func() { lives.post(taken) })
		err := r.killTimes(5, lives.span())
		sender.Wait()
		if err != nil {
			return nil, err
		}
		time.Sleep(15 * time.Second)
		answered, untold := 0, 0
		for n, t := range r.sink.all() {
			if taken[n] {
				answered++
				if t.firing == 0 {
					untold++
				}
			}
		}
		return []string{fmt.Sprintf("%d of %d", untold, answered)}, nil
	})
	rows(texts, [2]string{"5 SIGKILL, senders that post once and never again, group_wait 5 s: alerts that were answered 200 and never told", "0"})
}

func (s *sink) all() []told {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]told(nil), s.told...)
}

// killTimes kills the server at regular moments and starts it at once.
func (r *amRun) killTimes(times int, span time.Duration) error {
	for range times {
		select {
		case <-time.After(span / time.Duration(times+1)):
		case <-r.ctx.Done():
			return r.ctx.Err()
		}
		r.kill()
		if err := r.start(); err != nil {
			return err
		}
	}
	return nil
}

// lives are alerts that begin one after the other, twenty a second.
type lives struct {
	run      *amRun
	alerts   int
	life     time.Duration
	silences []string // that were answered with 200
}

const (
	livesPerSecond = 20
	resendEvery    = time.Second
	// endFor is how long the end of an alert is sent, every second.
	endFor = 10 * time.Second
)

// span is from the first beginning to the last end.
func (l *lives) span() time.Duration {
	return time.Duration(l.alerts)*time.Second/livesPerSecond + l.life
}

// send posts, every second, all that fires and what ended lately.
func (l *lives) send() {
	began := time.Now()
	for l.run.ctx.Err() == nil && time.Since(began) < l.span()+endFor {
		now := time.Now()
		var list []string
		for n := range l.alerts {
			starts := began.Add(time.Duration(n) * time.Second / livesPerSecond)
			ends := starts.Add(l.life)
			switch {
			case now.Before(starts), now.After(ends.Add(endFor)):
			case now.Before(ends):
				list = append(list, alertText(n, starts, now.Add(4*time.Minute)))
			default:
				list = append(list, alertText(n, starts, ends))
			}
		}
		for len(list) > 0 {
			batch := list[:min(batchSize, len(list))]
			list = list[len(batch):]
			l.run.try("/api/v2/alerts", "["+strings.Join(batch, ",")+"]")
		}
		time.Sleep(time.Until(now.Add(resendEvery)))
	}
}

func alertText(n int, starts, ends time.Time) string {
	return strings.Trim(alertList(n, n+1, 1, starts, ends), "[]")
}

// silence makes a silence that matches nothing every two and a half seconds.
func (l *lives) silence() {
	ticker := time.NewTicker(2500 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(l.span()); time.Now().Before(end); <-ticker.C {
		if id, ok := l.run.silence(len(l.silences)); ok {
			l.silences = append(l.silences, id)
		}
		if l.run.ctx.Err() != nil {
			return
		}
	}
}

// silence posts one and returns its id, if it was taken.
func (r *amRun) silence(n int) (id string, ok bool) {
	now := time.Now().UTC()
	answer, ok := r.try("/api/v2/silences", fmt.Sprintf(
		`{"matchers":[{"name":"n","value":"none-%d","isRegex":false}],"startsAt":%q,"endsAt":%q,"createdBy":"bench","comment":"held while the server is killed"}`,
		n, now.Format(time.RFC3339), now.Add(time.Hour).Format(time.RFC3339)))
	var made struct{ SilenceID string }
	if !ok || json.Unmarshal([]byte(answer), &made) != nil {
		return "", false
	}
	return made.SilenceID, made.SilenceID != ""
}

// lost counts the silences that are gone.
func (l *lives) lost() (int, error) {
	kept, err := l.run.silenceIDs()
	lost := 0
	for _, id := range l.silences {
		if !kept[id] {
			lost++
		}
	}
	return lost, err
}

// silenceIDs are those that the server knows.
func (r *amRun) silenceIDs() (map[string]bool, error) {
	body, err := fetch(r.ctx, r.process.base+"/api/v2/silences")
	if err != nil {
		return nil, err
	}
	var list []struct{ ID string }
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for _, s := range list {
		ids[s.ID] = true
	}
	return ids, nil
}

// post posts each alert once, when it begins, and notes which were taken. It
// waits for nothing: an alert that finds the server dead is lost by its sender.
func (l *lives) post(taken []bool) {
	began := time.Now()
	for n := range l.alerts {
		at := began.Add(time.Duration(n) * time.Second / livesPerSecond)
		time.Sleep(time.Until(at))
		if l.run.ctx.Err() != nil {
			return
		}
		_, taken[n] = l.run.try("/api/v2/alerts", alertList(n, n+1, 1, at, at.Add(time.Hour)))
	}
}

// corrupt writes random bytes over what a server has kept, and starts it.
func (b *amBench) corrupt(ctx context.Context) {
	const bytes = 100
	o := amOptions{alerts: b.sizes.silences, groupBy: "['...']", groupWait: 0}
	texts := b.each(ctx, o, func(r *amRun) ([]string, error) {
		n := b.sizes.silences
		if err := load(r.ctx, r.address, batches(n, 1, time.Now(), time.Now().Add(time.Hour))); err != nil {
			return nil, err
		}
		var ids []string
		for i := range n {
			if id, ok := r.silence(i); ok {
				ids = append(ids, id)
			}
		}
		r.sink.await(r.ctx, n, 10*time.Second)
		r.stop()
		files, err := r.files()
		if err != nil {
			return nil, err
		}
		for i, file := range files {
			if err := scribble(file, bytes, uint64(i)); err != nil {
				return nil, err
			}
		}
		if err := r.start(); err != nil {
			return []string{errUnready.Error()}, nil //nolint:nilerr // that is the result
		}
		kept, err := r.silenceIDs()
		left := 0
		for _, id := range ids {
			if kept[id] {
				left++
			}
		}
		return []string{fmt.Sprintf("starts, with %d of %d silences", left, len(ids))}, err
	})
	rows(texts, [2]string{fmt.Sprintf("%d random bytes written over each file of the state", bytes), "starts, says what it set aside, keeps the rest"})
}

// scribble writes random bytes at random places of a file, the same ones in
// every run.
func scribble(name string, bytes int, seed uint64) error {
	data, err := os.ReadFile(name)
	if err != nil || len(data) == 0 {
		return err
	}
	random := rand.New(rand.NewPCG(4, seed))
	for range bytes {
		data[random.IntN(len(data))] = byte(random.IntN(256))
	}
	return os.WriteFile(name, data, 0o600)
}
