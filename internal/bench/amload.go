package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	batchSize   = 64
	connections = 4
)

// appendAlert writes one alert of some 350 bytes as Prometheus would, without
// startsAt where that is zero: it begins when it is taken.
func appendAlert(b *bytes.Buffer, n, perGroup int, starts, ends time.Time) {
	fmt.Fprintf(b, `{"labels":{"alertname":"Bench","group":"g%d","instance":"10.0.%d.%d:9100","n":"%d","severity":"warning"},`, n/perGroup, n/256%256, n%256, n)
	fmt.Fprintf(b, `"annotations":{"description":"The latency of instance %d is above a tenth of a second","summary":"Latency is high"},`, n)
	if !starts.IsZero() {
		fmt.Fprintf(b, `"startsAt":"%s",`, starts.UTC().Format(time.RFC3339Nano))
	}
	fmt.Fprintf(b, `"endsAt":"%s",`, ends.UTC().Format(time.RFC3339Nano))
	b.WriteString(`"generatorURL":"http://prometheus:9090/graph?g0.expr=latency+%3E+0.1\u0026g0.tab=1"}`)
}

// request is a whole POST of the alerts from one number to another.
func request(from, to, perGroup int, starts, ends time.Time) []byte {
	body := alertList(from, to, perGroup, starts, ends)
	head := "POST /api/v2/alerts HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n"
	return append([]byte(head), body...)
}

func alertList(from, to, perGroup int, starts, ends time.Time) string {
	var b bytes.Buffer
	b.WriteByte('[')
	for n := from; n < to; n++ {
		if n > from {
			b.WriteByte(',')
		}
		appendAlert(&b, n, perGroup, starts, ends)
	}
	b.WriteByte(']')
	return b.String()
}

// batches are the requests for so many alerts. Those of a group follow each
// other.
func batches(alerts, perGroup int, starts, ends time.Time) [][]byte {
	var list [][]byte
	for from := 0; from < alerts; from += batchSize {
		list = append(list, request(from, min(from+batchSize, alerts), perGroup, starts, ends))
	}
	return list
}

// load sends every request once, over a few connections that each wait for the
// answer before the next.
func load(ctx context.Context, address string, requests [][]byte) error {
	var next atomic.Int64
	var wait sync.WaitGroup
	errs := make([]error, connections)
	for i := range connections {
		wait.Go(func() {
			c, err := dial(ctx, address)
			if err != nil {
				errs[i] = err
				return
			}
			defer c.close()
			for at := next.Add(1) - 1; at < int64(len(requests)); at = next.Add(1) - 1 {
				if errs[i] = c.post(requests[at]); errs[i] != nil {
					return
				}
			}
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// client is one connection that stays, so that the load costs little itself.
type client struct {
	conn net.Conn
	in   *bufio.Reader
}

func dial(ctx context.Context, address string) (*client, error) {
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &client{conn, bufio.NewReader(conn)}, nil
}

func (c *client) close() { _ = c.conn.Close() }

// post writes a request and reads its answer, which must be 200.
func (c *client) post(request []byte) error {
	if err := c.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	answer, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.200s", answer.Status, body)
	}
	return err
}
