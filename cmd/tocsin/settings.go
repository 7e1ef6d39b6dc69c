package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"reflect"
	"slices"
	"strings"
)

// digestOf tells one configuration from another, over restarts too, secrets
// included: a receiver that was disabled is enabled when its digest changes. It
// is half of a SHA-256, which gives nothing away.
func digestOf(settings any) string {
	h := sha256.New()
	digest(h, reflect.ValueOf(settings))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// digest writes every value below v, those of fields that are not exported
// included, each with its kind and length, so that no two are taken for one.
func digest(h hash.Hash, v reflect.Value) {
	fmt.Fprintf(h, "%s:", v.Kind())
	switch v.Kind() { //nolint:exhaustive // what is left cannot stand in a configuration
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			digest(h, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if !field.IsExported() && field.Type.Kind() == reflect.Interface {
				continue // it is made of the others: a parsed template leads in circles
			}
			fmt.Fprintf(h, "%s=", field.Name)
			digest(h, v.Field(i))
		}
	case reflect.Slice, reflect.Array:
		fmt.Fprintf(h, "%d:", v.Len())
		for i := range v.Len() {
			digest(h, v.Index(i))
		}
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		fmt.Fprintf(h, "%d:", len(keys))
		for _, key := range keys {
			digest(h, key)
			digest(h, v.MapIndex(key))
		}
	case reflect.String:
		fmt.Fprintf(h, "%d:%s", v.Len(), v.String())
	case reflect.Bool:
		fmt.Fprintf(h, "%t", v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		fmt.Fprintf(h, "%d", v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		fmt.Fprintf(h, "%d", v.Uint())
	case reflect.Float32, reflect.Float64:
		fmt.Fprintf(h, "%g", v.Float())
	}
}
