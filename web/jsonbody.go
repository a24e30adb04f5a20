package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"
)

// readJSON reads a body that is one JSON object with known members; like shows one.
func readJSON(ctx *fasthttp.RequestCtx, limit int, like string, v any) error {
	body, err := readBody(ctx, limit)
	if err != nil {
		return err
	}
	return decodeJSON(body, like, v)
}

// decodeJSON decodes a body into the struct that v points to, and says what is wrong in the words of JSON.
func decodeJSON(body []byte, like string, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return badRequest(whyNotJSON(err, like, reflect.TypeOf(v).Elem()))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return badRequest("body has more than one JSON value")
	}
	return checkNames(body, reflect.TypeOf(v).Elem())
}

// checkNames refuses what [json.Decoder] takes in an object that it has read: a name of a member in other letters, and a name twice,
// of which the last would count.
func checkNames(body []byte, object reflect.Type) error {
	d := json.NewDecoder(bytes.NewReader(body))
	return checkValue(d, memberNames(object))
}

// checkValue reads a value. If it is an object, its members have known names, or any if known is nil.
func checkValue(d *json.Decoder, known []string) error {
	start, err := d.Token()
	if start != json.Delim('{') && start != json.Delim('[') {
		return err
	}
	names := map[string]bool{}
	for d.More() {
		if start == json.Delim('{') {
			token, err := d.Token()
			if err != nil {
				return err
			}
			name := token.(string)
			switch {
			case known != nil && !slices.Contains(known, name):
				return badRequest(unknownMember(shorten(name), known))
			case names[name]:
				return badRequest("body has the member " + shorten(name) + " twice")
			}
			names[name] = true
		}
		if err := checkValue(d, nil); err != nil {
			return err
		}
	}
	_, err = d.Token() // the end of it
	return err
}

// unknownMember says what an object cannot have; name is in quotes.
func unknownMember(name string, known []string) string {
	return "body has the unknown member " + name + ", known are " + strings.Join(known, ", ")
}

func whyNotJSON(err error, like string, object reflect.Type) string {
	var wrong *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	name, unknown := strings.CutPrefix(err.Error(), "json: unknown field ")
	switch {
	case unknown:
		if member, err := strconv.Unquote(name); err == nil {
			name = shorten(member)
		}
		return unknownMember(name, memberNames(object))
	case errors.As(err, &wrong) && wrong.Field != "":
		return wrongMember(wrong, object)
	case errors.As(err, &wrong):
		return "body is not " + like + ": it is " + jsonKind(wrong.Value)
	case errors.As(err, &syntax):
		return fmt.Sprintf("body is not %s: it is no JSON at byte %d", like, syntax.Offset)
	case errors.Is(err, io.EOF):
		return "body is not " + like + ": it is empty"
	}
	return "body is not " + like + ": it breaks off"
}

// wrongMember names a member of another type than the struct's.
func wrongMember(wrong *json.UnmarshalTypeError, object reflect.Type) string {
	for f := range object.Fields() {
		if memberName(f) == wrong.Field && f.Type.Kind() == reflect.Slice && wrong.Type.Kind() != reflect.Slice {
			return wrong.Field + " in body holds " + jsonKind(wrong.Value) + ", want " + wantedKind(f.Type)
		}
	}
	return wrong.Field + " in body is " + jsonKind(wrong.Value) + ", want " + wantedKind(wrong.Type)
}

// memberNames gives the members that an object can have, sorted.
func memberNames(object reflect.Type) (names []string) {
	for f := range object.Fields() {
		names = append(names, memberName(f))
	}
	slices.Sort(names)
	return names
}

func memberName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// jsonKind names what JSON has where something else is wanted; value is as json.UnmarshalTypeError has it.
func jsonKind(value string) string {
	switch value {
	case "string":
		return "a text"
	case "bool":
		return "true or false"
	case "array":
		return "a list"
	case "object":
		return "an object"
	}
	return "a number"
}

// wantedKind names what goes into a type.
func wantedKind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list of texts"
	}
	return "an object"
}
