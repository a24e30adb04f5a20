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
	return nil
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
		return "body has the unknown member " + name + ", known are " + strings.Join(memberNames(object), ", ")
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
