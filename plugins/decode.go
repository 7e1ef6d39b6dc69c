package plugins

import (
	"bytes"
	"encoding"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// decode reads settings into a struct, over its defaults, and says everything
// that is wrong with them at once, each by its path. encoding/json would say the
// first alone, and take a field whose case is wrong.
func decode(config []byte, into any) Problems {
	var ps Problems
	if len(bytes.TrimSpace(config)) == 0 {
		config = []byte("{}")
	}
	if !json.Valid(config) {
		var v any
		ps.Add("", "the settings are no JSON: %v", json.Unmarshal(config, &v))
		return ps
	}
	d := decoder{problems: &ps}
	d.value("", config, reflect.ValueOf(into).Elem())
	return ps
}

type decoder struct{ problems *Problems }

func (d decoder) mistyped(path string, raw json.RawMessage, t reflect.Type) {
	d.problems.Add(path, "is %s, and must be %s", found(raw), want(t)).As(problem.WrongValue)
}

func (d decoder) value(path string, raw json.RawMessage, v reflect.Value) {
	t := v.Type()
	switch {
	case found(raw) == "nothing": // null leaves the default
	case t.Kind() == reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(t.Elem()))
		}
		d.value(path, raw, v.Elem())
	case isDuration(t), readsScalar(t) && (found(raw) != "a mapping" || !hasLongForm(t)), readsText(t):
		d.text(path, raw, v)
	case readsJSON(t):
		if err := json.Unmarshal(raw, v.Addr().Interface()); err != nil {
			d.problems.Add(path, "%v", err).As(problem.WrongValue)
		}
	case t.Kind() == reflect.Struct:
		d.object(path, raw, v)
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		d.list(path, raw, v)
	case t.Kind() == reflect.Map && t.Key().Kind() == reflect.String:
		d.mapping(path, raw, v)
	default:
		if json.Unmarshal(raw, v.Addr().Interface()) != nil {
			d.mistyped(path, raw, t)
		}
	}
}

// text reads what is written as a text. YAML does not tell 5 from "5", so that a
// number is taken for its digits.
func (d decoder) text(path string, raw json.RawMessage, v reflect.Value) {
	text := string(bytes.TrimSpace(raw))
	switch found(raw) {
	case "a text":
		if err := json.Unmarshal(raw, &text); err != nil {
			d.problems.Add(path, "%v", err)
			return
		}
	case "a mapping", "a list":
		d.mistyped(path, raw, v.Type())
		return
	}
	var err error
	switch into := v.Addr().Interface().(type) {
	case scalarReader:
		err = into.FromScalar(text)
	case encoding.TextUnmarshaler:
		err = into.UnmarshalText([]byte(text))
	default:
		var d time.Duration
		d, err = units.ParseDuration(text)
		v.SetInt(int64(d))
	}
	if err != nil {
		d.problems.Add(path, "%v", err).As(problem.WrongValue)
	}
}

func (d decoder) object(path string, raw json.RawMessage, v reflect.Value) {
	var given map[string]json.RawMessage
	if json.Unmarshal(raw, &given) != nil {
		d.mistyped(path, raw, v.Type())
		return
	}
	fields := settingsOf(v.Type())
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
		value, has := given[f.name]
		delete(given, f.name)
		switch {
		case has:
			d.value(problem.Join(path, f.name), value, v.FieldByIndex(f.index))
		case f.required && v.FieldByIndex(f.index).IsZero():
			d.problems.Add(problem.Join(path, f.name), "is missing").As(problem.MissingField)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		d.problems.AddHint(problem.Join(path, name), problem.DidYouMean(name, names), "unknown field").As(problem.UnknownField)
	}
}

func (d decoder) list(path string, raw json.RawMessage, v reflect.Value) {
	var given []json.RawMessage
	if json.Unmarshal(raw, &given) != nil {
		d.mistyped(path, raw, v.Type())
		return
	}
	made := reflect.MakeSlice(v.Type(), len(given), len(given))
	for i, one := range given {
		d.value(problem.Join(path, "["+strconv.Itoa(i)+"]"), one, made.Index(i))
	}
	v.Set(made)
}

func (d decoder) mapping(path string, raw json.RawMessage, v reflect.Value) {
	var given map[string]json.RawMessage
	if json.Unmarshal(raw, &given) != nil {
		d.mistyped(path, raw, v.Type())
		return
	}
	made := reflect.MakeMapWithSize(v.Type(), len(given))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		one := reflect.New(v.Type().Elem()).Elem()
		d.value(problem.Join(path, name), given[name], one)
		made.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), one)
	}
	v.Set(made)
}
