package mongostore

import (
	"strings"
	"testing"
)

func TestRedacted(t *testing.T) {
	f := func(uri, want string) {
		t.Helper()
		if got := Redacted(uri); got != want {
			t.Errorf("%q is shown as %q, want %q", uri, got, want)
		}
	}
	f("mongodb://a.example:27017/heat", "mongodb://a.example:27017/heat")
	f("mongodb://user:pass@a.example,b.example/heat?replicaSet=rs0&authSource=admin", "mongodb://a.example,b.example/heat?replicaSet=rs0")
	f("mongodb+srv://user:p%40ss@cluster.example/?tlsCertificateKeyFilePassword=x", "mongodb+srv://cluster.example/")
	f("mongodb://user:p@ss/w@rd@a.example/heat", "mongodb://a.example/heat")
	f("mongodb://user:pa?ss@a.example", "mongodb://a.example")
	f("user:pass@a.example", "mongodb://…")
	f("", "mongodb://…")
}

// TestOpenErrors reads what is said about connection strings that are none. None of it holds a part of a password.
func TestOpenErrors(t *testing.T) {
	f := func(uri string, o Options, want string) {
		t.Helper()
		s, err := Open(uri, o)
		if err == nil {
			_ = s.Close(t.Context())
			t.Errorf("%s: no error", uri)
			return
		}
		for _, secret := range []string{"s3c", "r3t"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: error tells the password: %v", uri, err)
			}
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want something about %q", uri, err, want)
		}
	}
	f("", Options{}, "want mongodb://")
	f("http://a.example", Options{}, "want mongodb://")
	f("mongodb://", Options{}, "no host")
	f("mongodb:///heat", Options{}, "no host")
	f("mongodb://u:s3c/r3t@a.example/heat", Options{}, "percent-encoded")
	f("mongodb://u:s3c@r3t@a.example/heat", Options{}, "percent-encoded")
	f("mongodb://u:s3c:r3t@a.example/heat", Options{}, "percent-encoded")
	f("mongodb://u:s3c%r3t@a.example/heat", Options{}, "encoding of user and password")
	f("mongodb://a.example:port/heat", Options{}, "port")
	f("mongodb://a.example/he.at", Options{}, "no name of a database")
	f("mongodb://a.example/"+strings.Repeat("x", 64), Options{}, "no name of a database")
	f("mongodb://a.example/?tls=maybe", Options{}, "tls")
	f("mongodb://u:s3cr3t@a.example/?directConnection=maybe", Options{}, "options")
	f("mongodb://a.example,b.example/?directConnection=true", Options{}, "direct")
	f("mongodb://a.example", Options{ReadPreference: "secondry"}, "primaryPreferred")
}

// TestDatabase holds which database a connection string means.
func TestDatabase(t *testing.T) {
	f := func(uri, want string) {
		t.Helper()
		if got, err := checkURI(uri); err != nil || got != want {
			t.Errorf("%s: database %q, %v, want %q", uri, got, err, want)
		}
	}
	f("mongodb://a.example", "heatlog")
	f("mongodb://a.example/", "heatlog")
	f("mongodb://a.example/?replicaSet=rs0", "heatlog")
	f("mongodb://u:p%2F@a.example/heat?x=/y", "heat")
}
