// Package api is the HTTP side of Tocsin: the documents of the guide, the
// history, what /api/v1 tells of alerts, rules, sources and receivers, and the
// few requests that change something (ingest, reload). cmd/tocsin wires and
// serves it. A handler returns a value or an error, and one wrapper does the
// rest: authorisation, JSON, ETag, error shape, recovery and metrics.
//
// It reads what others decided and never computes an alert's state of its own;
// it opens no connection, starts no goroutine and never shows a client what
// went wrong inside.
package api
