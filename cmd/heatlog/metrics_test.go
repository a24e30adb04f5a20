package main

import "testing"

func TestMetricsRoute(t *testing.T) {
	m := newMetrics()
	for path, want := range map[string]string{
		"/v1/in": "/v1/in", "/v1/generations/g2": "/v1/generations", "/v1/generations/g2/activate": "/v1/generations",
		"/v1/sites/shop": "/v1/sites", "/": otherRoute, "": otherRoute, "/v1/inn": otherRoute, "/nothing/here": otherRoute,
	} {
		if m.route([]byte(path)) != m.routes[want] {
			t.Errorf("%q is not counted as %s", path, want)
		}
	}
}
