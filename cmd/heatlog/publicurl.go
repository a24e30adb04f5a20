package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"heatlog/collector"
)

// publicURL is where browsers reach the server, without a trailing slash; "" = at the address that it listens on.
type publicURL string

// UnmarshalText reads an http or https URL, with a path where a proxy serves heatlog below one.
func (p *publicURL) UnmarshalText(text []byte) error {
	if *p = ""; len(text) == 0 {
		return nil
	}
	u, err := url.Parse(string(text))
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("public URL is %q, want http(s)://HOST or http(s)://HOST/PATH", text)
	case strings.ContainsAny(string(text), "?#"):
		return fmt.Errorf("public URL is %q, want one without a query and a fragment", text)
	case u.User != nil:
		return errors.New("public URL has a user name, want one without") // perhaps with a password
	}
	origin, err := collector.NormalOrigin(u.Scheme + "://" + u.Host)
	if err != nil {
		return fmt.Errorf("public URL is %q: %w", text, err)
	}
	*p = publicURL(origin + strings.TrimRight(u.EscapedPath(), "/"))
	return nil
}

// origin is the part of it that a browser calls the origin.
func (p publicURL) origin() string {
	scheme, rest, _ := strings.Cut(string(p), "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}
