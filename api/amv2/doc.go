// Package amv2 is the wire form of Alertmanager's HTTP API, version 2
// (0.28 to 0.34), as bytes and values: what its clients post is decoded and
// judged, what they read is encoded, field for field, order for order and error
// for error. The handlers of package api call it. It knows no engine and no
// router, opens nothing, starts no goroutine and reads no clock.
//
// https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
package amv2

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
)

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

// unreadable refuses a body. Of a value of another type it says which, in
// JSON's words: Alertmanager names the types of its own code there.
func unreadable(what string, err error) *Refusal {
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		place := cmp.Or(mismatch.Field, what)
		err = fmt.Errorf("json: cannot unmarshal %s into %s, which is %s", mismatch.Value, place, jsonName(mismatch.Type.Kind()))
	}
	return &Refusal{
		Status: http.StatusBadRequest, Code: http.StatusBadRequest,
		Message: "parsing " + what + ` body from "" failed, because ` + err.Error(),
	}
}

// jsonName is what a value of a kind is in JSON, of the kinds that the bodies
// have.
func jsonName(kind reflect.Kind) string {
	switch kind { //nolint:exhaustive // the others stand for themselves
	case reflect.Map, reflect.Struct:
		return "an object"
	case reflect.Slice:
		return "an array"
	case reflect.Bool:
		return "a boolean"
	}
	return "a " + kind.String()
}
