package mongotest

import "testing"

func TestAddress(t *testing.T) {
	f := func(uri, want string) {
		t.Helper()
		a, err := parseAddress(uri)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.withDatabase("new").String(); got != want {
			t.Errorf("%s became %s, want %s", uri, got, want)
		}
	}
	f("mongodb://h", "mongodb://h:27017/new")
	f("mongodb://h:1,i/old?replicaSet=r", "mongodb://h:1,i:27017/new?replicaSet=r")
	f("mongodb://u:p%40@h:1", "mongodb://u:p%40@h:1/new?authSource=admin")
	f("mongodb://u:p@h:1/old", "mongodb://u:p@h:1/new?authSource=old")
	f("mongodb+srv://u:p@h/old?authsource=x", "mongodb+srv://u:p@h/new?authsource=x")
}
