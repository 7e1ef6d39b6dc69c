// Package amv2 is the wire form of Alertmanager's HTTP API, version 2
// (0.28 to 0.34), as bytes and values: what its clients post is decoded and
// judged, what they read is encoded, field for field, order for order and error
// for error. The handlers of package api call it. It knows no engine and no
// router, opens nothing, starts no goroutine and reads no clock.
//
// https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
package amv2

import "net/http"

// Refusal is a request that Alertmanager refuses, with its own words. With a
// Code the body is {"code": …, "message": …}, without one it is the message as
// a JSON string: the former comes of the schema, the latter of the handlers.
type Refusal struct {
	Status  int
	Code    int
	Message string
}

// Error returns the message.
func (r *Refusal) Error() string { return r.Message }

// Body is what is answered.
func (r *Refusal) Body() any {
	if r.Code == 0 {
		return r.Message
	}
	return struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{r.Code, r.Message}
}

// BadRequest is a refusal by a handler.
func BadRequest(message string) *Refusal {
	return &Refusal{Status: http.StatusBadRequest, Message: message}
}

// The codes of go-openapi/errors for what a schema refuses.
const (
	codeInvalidType = 601
	codeRequired    = 602
	codeTooFewItems = 612
)

func unprocessable(code int, message string) *Refusal {
	return &Refusal{Status: http.StatusUnprocessableEntity, Code: code, Message: message}
}

func unreadable(what string, err error) *Refusal {
	return &Refusal{
		Status: http.StatusBadRequest, Code: http.StatusBadRequest,
		Message: "parsing " + what + ` body from "" failed, because ` + err.Error(),
	}
}
