package mongostore

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
)

// defaultDatabase is the database of a connection string that names none.
const defaultDatabase = "heatlog"

// Redacted gives a connection string for logs and errors: scheme, hosts, database and the name of the replica set, without
// user, password and all other options, which may hold secrets. It takes texts that are no connection string too.
func Redacted(uri string) string {
	scheme, rest, found := strings.Cut(uri, "://")
	if !found || scheme != connstring.SchemeMongoDB && scheme != connstring.SchemeMongoDBSRV {
		return "mongodb://…"
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 { // a password may hold every other character, encoded or not
		rest = rest[at+1:]
	}
	rest, query, _ := strings.Cut(rest, "?")
	for _, option := range strings.FieldsFunc(query, func(c rune) bool { return c == '&' || c == ';' }) {
		if name, _, _ := strings.Cut(option, "="); strings.EqualFold(name, "replicaSet") {
			return scheme + "://" + rest + "?" + option
		}
	}
	return scheme + "://" + rest
}

// checkURI says what is wrong with a connection string, without a word of what may be a password. It asks no name server.
func checkURI(uri string) (database string, err error) {
	scheme, rest, found := strings.Cut(uri, "://")
	if !found || scheme != connstring.SchemeMongoDB && scheme != connstring.SchemeMongoDBSRV {
		return "", errors.New("want mongodb://HOST:PORT/DATABASE or mongodb+srv://HOST/DATABASE")
	}
	user := ""
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		user, rest = rest[:at], rest[at+1:]
	}
	if strings.ContainsAny(user, "@/?#[] ") || strings.Count(user, ":") > 1 {
		return "", errors.New("user name and password must be percent-encoded: write %40 for @, %3A for :, %2F for / and %25 for %")
	}
	hosts, _, _ := strings.Cut(rest, "?")
	hosts, database, _ = strings.Cut(hosts, "/")
	if hosts == "" {
		return "", errors.New("there is no host in it")
	}
	if database == "" {
		database = defaultDatabase
	}
	if strings.ContainsAny(database, "/\\. \"$*<>:|?%\x00") || len(database) > 63 {
		return "", fmt.Errorf("%q is no name of a database", database)
	}
	return database, nil
}

// safeError gives the driver's complaint about a connection string, as far as that cannot tell a secret. That of a name server
// stays one.
func safeError(uri string, err error) error {
	if dns := (*net.DNSError)(nil); errors.As(err, &dns) {
		return dns
	}
	if strings.Contains(uri, "@") || strings.Contains(strings.ToLower(uri), "password") || strings.Contains(strings.ToLower(uri), "token") {
		return errors.New("its hosts, its options or the encoding of user and password are wrong")
	}
	return errors.New(strings.TrimPrefix(err.Error(), "error parsing uri: "))
}
