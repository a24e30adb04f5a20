package mongotest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// address is a connection string in its parts.
type address struct {
	scheme   string // mongodb or mongodb+srv
	user     string // name and password as written, "" without
	hosts    []string
	database string
	options  []string // name=value
}

// parseAddress splits a connection string.
func parseAddress(uri string) (a address, err error) {
	var rest, options string
	var ok bool
	a.scheme, rest, ok = strings.Cut(uri, "://")
	if !ok || a.scheme != "mongodb" && a.scheme != "mongodb+srv" {
		return a, errors.New("want mongodb://… or mongodb+srv://…")
	}
	rest, options, _ = strings.Cut(rest, "?")
	rest, a.database, _ = strings.Cut(rest, "/")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		a.user, rest = rest[:at], rest[at+1:]
	}
	if rest == "" {
		return a, errors.New("it names no host")
	}
	for host := range strings.SplitSeq(rest, ",") {
		if a.scheme == "mongodb" && !strings.Contains(host, ":") {
			host += ":27017"
		}
		a.hosts = append(a.hosts, host)
	}
	if options != "" {
		a.options = strings.Split(options, "&")
	}
	return a, nil
}

// String puts the parts together.
func (a address) String() string {
	user := a.user
	if user != "" {
		user += "@"
	}
	uri := a.scheme + "://" + user + strings.Join(a.hosts, ",") + "/" + a.database
	if len(a.options) > 0 {
		uri += "?" + strings.Join(a.options, "&")
	}
	return uri
}

// option gives the value of an option, "" without one.
func (a address) option(name string) string {
	for _, o := range a.options {
		if n, value, _ := strings.Cut(o, "="); strings.EqualFold(n, name) {
			return value
		}
	}
	return ""
}

// without leaves options out.
func (a address) without(names ...string) address {
	var kept []string
	for _, o := range a.options {
		name, _, _ := strings.Cut(o, "=")
		if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
			kept = append(kept, o)
		}
	}
	a.options = kept
	return a
}

// with adds an option.
func (a address) with(name, value string) address {
	a.options = append(a.options[:len(a.options):len(a.options)], name+"="+value)
	return a
}

// withDatabase names another database; the user stays the one of the database that was named.
func (a address) withDatabase(name string) address {
	if a.user != "" && a.option("authSource") == "" {
		source := a.database
		if source == "" {
			source = "admin"
		}
		a = a.with("authSource", source)
	}
	a.database = name
	return a
}

// proxied is the address by which a driver sees a proxy as a server of its own, which it cannot go round.
func (a address) proxied(listener string) (address, error) {
	if a.scheme != "mongodb" {
		return a, fmt.Errorf("a proxy needs the hosts themselves: mongodb:// and not %s://", a.scheme)
	}
	for _, name := range []string{"tls", "ssl"} {
		if a.option(name) == "true" {
			return a, fmt.Errorf("a proxy cannot read TLS: leave out %s=true", name)
		}
	}
	a = a.without("replicaSet", "directConnection", "loadBalanced", "compressors").with("directConnection", "true")
	a.hosts = []string{listener}
	return a, nil
}
