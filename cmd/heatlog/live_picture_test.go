package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// livePicture is what a client puts together of the messages of a live answer: rows by key, and what is said beside them. A GET's answer makes
// one too.
type livePicture struct {
	token     string
	version   float64
	positions map[string]float64
	until     map[string]float64 // positions that are waited for, nil = none
	complete  bool
	rows      map[string]string
	beside    map[string]string
}

// rowMembers are the members with rows, by kind.
var rowMembers = map[string][]string{
	"heatmap": {"points"}, "scroll": {"reach", "attention_ms"}, "elements": {"elements", "rest"}, "pages": {"pages"}, "trend": {"buckets"},
}

// besideMembers are the members that both a message and a GET's answer have.
var besideMembers = []string{"hits", "views", "visitors", "max", "cells", "total", "anchored", "from", "to", "fold", "cell"}

// take takes a message, or a GET's answer, and gives the event.
func (p *livePicture) take(kind string, message []byte) (event string, err error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(message, &m); err != nil {
		return "", fmt.Errorf("message %.200q: %w", message, err)
	}
	get := func(name string, to any) {
		if raw, ok := m[name]; ok && err == nil {
			err = json.Unmarshal(raw, to)
		}
	}
	event = "snapshot"
	get("event", &event)
	get("token", &p.token)
	switch event {
	case "progress", "reset":
		if event == "progress" { // it holds for what was told
			p.positions = nil
			get("positions", &p.positions)
		}
		return event, err
	case "snapshot":
		p.rows, p.version = map[string]string{}, 0
	case "patch":
	default:
		return event, fmt.Errorf("unexpected message %s", message)
	}
	p.positions = nil
	get("positions", &p.positions)
	get("complete", &p.complete)
	var version float64
	if get("version", &version); event == "patch" && version <= p.version {
		return event, fmt.Errorf("patch to version %v comes after %v", version, p.version)
	}
	p.version = version
	p.beside = map[string]string{}
	for _, name := range besideMembers {
		if raw, ok := m[name]; ok {
			p.beside[name] = compactJSON(raw)
		}
	}
	if err := p.takeRows(kind, m); err != nil {
		return event, err
	}
	return event, p.check(kind)
}

// takeRows takes the rows that a message has.
func (p *livePicture) takeRows(kind string, m map[string]json.RawMessage) (err error) {
	for _, member := range rowMembers[kind] {
		raw := m[member]
		if member == "rest" {
			var rest struct{ Points json.RawMessage }
			if err := json.Unmarshal(raw, &rest); err != nil {
				return fmt.Errorf("rest %s: %w", raw, err)
			}
			raw = rest.Points
		}
		var list []json.RawMessage
		if raw != nil {
			if err := json.Unmarshal(raw, &list); err != nil {
				return fmt.Errorf("%s %.200s: %w", member, raw, err)
			}
		}
		for _, row := range list {
			key, value, err := rowOf(member, row)
			if err != nil {
				return err
			}
			if value == "" {
				delete(p.rows, key)
			} else {
				p.rows[key] = value
			}
		}
	}
	var gone []json.RawMessage
	if raw, ok := m["gone"]; ok {
		err = json.Unmarshal(raw, &gone)
	}
	for _, row := range gone {
		key := rowMembers[kind][0] + " " + compactJSON(row)
		if kind == "elements" {
			if key, _, err = rowOf("elements", row); err != nil {
				return err
			}
		}
		delete(p.rows, key)
	}
	return err
}

// rowOf gives the key and the value of a row, "" for a cell that is gone.
func rowOf(member string, raw json.RawMessage) (key, value string, err error) {
	switch member {
	case "points", "rest", "reach", "attention_ms":
		var numbers []json.Number
		if err := json.Unmarshal(raw, &numbers); err != nil {
			return "", "", fmt.Errorf("row %s of %s: %w", raw, member, err)
		}
		last := len(numbers) - 1
		if value = numbers[last].String(); value == "0" && last == 2 {
			value = ""
		}
		return fmt.Sprint(member, numbers[:last]), value, nil
	}
	var row struct {
		URL, Start json.RawMessage
		Sel        string
		Check      *int
		Fixed      bool
	}
	if err := json.Unmarshal(raw, &row); err != nil {
		return "", "", fmt.Errorf("row %s of %s: %w", raw, member, err)
	}
	switch member {
	case "pages":
		return "pages " + compactJSON(row.URL), compactJSON(raw), nil
	case "buckets":
		return "buckets " + compactJSON(row.Start), compactJSON(raw), nil
	}
	check := -1
	if row.Check != nil {
		check = *row.Check
	}
	return fmt.Sprint("elements ", row.Sel, " ", check, " ", row.Fixed), shareOfElement.ReplaceAllString(compactJSON(raw), ""), nil
}

// shareOfElement is what a live row leaves out: it would change with every hit elsewhere.
var shareOfElement = regexp.MustCompile(`"share":[^,]*,`)

func compactJSON(raw json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return string(raw)
	}
	return b.String()
}

// check says what is wrong with a picture by itself: a map's weights add up to its hits.
func (p *livePicture) check(kind string) error {
	if kind != "heatmap" {
		return nil
	}
	sum := 0
	for _, weight := range p.rows {
		n := 0
		if _, err := fmt.Sscan(weight, &n); err != nil {
			return fmt.Errorf("weight %s: %w", weight, err)
		}
		sum += n
	}
	if hits := p.beside["hits"]; fmt.Sprint(sum) != hits {
		return fmt.Errorf("weights add up to %d at version %v, hits are %s", sum, p.version, hits)
	}
	return nil
}

// difference says how another picture differs, "" if it does not.
func (p *livePicture) difference(want *livePicture) string {
	if !p.complete {
		return "it is not complete"
	}
	for _, name := range slices.Sorted(maps.Keys(want.beside)) {
		if p.beside[name] != want.beside[name] {
			return fmt.Sprintf("%s is %s, want %s", name, p.beside[name], want.beside[name])
		}
	}
	for key, value := range want.rows {
		if p.rows[key] != value {
			return fmt.Sprintf("row %s is %s, want %s; %d rows, want %d", key, p.rows[key], value, len(p.rows), len(want.rows))
		}
	}
	for key := range p.rows {
		if _, ok := want.rows[key]; !ok {
			return fmt.Sprintf("row %s is not to be there", key)
		}
	}
	return ""
}
