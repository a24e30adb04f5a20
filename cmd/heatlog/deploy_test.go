package main

import (
	"bufio"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
)

// compose is what the tests read of a compose file.
type compose struct {
	Services map[string]struct {
		Build *struct {
			Context    string
			Dockerfile string
		}
		Command     []string
		Entrypoint  []string
		Environment map[string]string
		Ports       []string
		Volumes     []string
		Networks    []string
		DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
		Healthcheck *struct{ Test []string }
	}
	Volumes  map[string]any
	Networks map[string]struct{ Internal bool }
}

func readCompose(t *testing.T, name string) (c compose) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return c
}

var defaulted = regexp.MustCompile(`\$\{\w+:-([^}]*)\}`)

// TestComposeFiles looks that what the compose files say of heatlog is what it takes, and that their parts fit together.
func TestComposeFiles(t *testing.T) {
	image := readDockerfile(t)
	f := func(name, store string) {
		t.Helper()
		c := readCompose(t, name)
		node := c.Services["heatlog"]
		if node.Build == nil {
			t.Fatalf("%s: heatlog is not built", name)
		}
		if _, err := os.Stat(filepath.Join("deploy", node.Build.Context, node.Build.Dockerfile)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for variable, value := range image.env {
			t.Setenv(variable, value)
		}
		for variable, value := range node.Environment {
			t.Setenv(variable, defaulted.ReplaceAllString(value, "$1"))
		}
		var line cli
		parser, err := kong.New(&line, kong.Name("heatlog"), kong.Vars{"bench_parts": benchPartNames()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(image.command); err != nil {
			t.Errorf("%s: heatlog %v: %v", name, image.command, err)
		}
		if err := line.Serve.check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if line.Serve.Store != store {
			t.Errorf("%s: the store is %q, want %q", name, line.Serve.Store, store)
		}
		if line.Serve.Data != "/data" || !slices.Contains(node.Volumes, "data:/data") {
			t.Errorf("%s: the data folder is %q, the volumes are %v", name, line.Serve.Data, node.Volumes)
		}
		if _, port, _ := strings.Cut(line.Serve.Listen, ":"); port != image.port || !strings.HasSuffix(node.Ports[0], ":"+port) {
			t.Errorf("%s: heatlog listens on port %s, ports are %v, the image exposes %s", name, port, node.Ports, image.port)
		}
		for service, s := range c.Services {
			for on, how := range s.DependsOn {
				if needs, ok := c.Services[on]; !ok || how.Condition == "service_healthy" && needs.Healthcheck == nil {
					t.Errorf("%s: %s depends on %s, which is not there or tells no health", name, service, on)
				}
			}
			for _, n := range s.Networks {
				if _, ok := c.Networks[n]; !ok {
					t.Errorf("%s: %s is in network %s, which is not declared", name, service, n)
				}
			}
			for _, v := range s.Volumes {
				from, _, _ := strings.Cut(v, ":")
				if _, ok := c.Volumes[from]; ok {
					continue
				}
				if _, err := os.Stat(filepath.Join("deploy", from)); err != nil {
					t.Errorf("%s: %s mounts %s, which is neither a volume nor a file", name, service, from)
				}
			}
		}
	}
	f("compose.yaml", "pebble")
	f("compose.mongodb.yaml", "mongodb://mongo1,mongo2,mongo3/heatlog?replicaSet=rs0")

	c := readCompose(t, "compose.mongodb.yaml")
	if !c.Networks["database"].Internal {
		t.Error("the members ask for no password on a network that leads elsewhere")
	}
	for _, host := range []string{"mongo1", "mongo2", "mongo3"} {
		s := c.Services[host]
		if !slices.Equal(s.Networks, []string{"database"}) || len(s.Ports) != 0 {
			t.Errorf("%s can be reached from elsewhere: networks %v, ports %v", host, s.Networks, s.Ports)
		}
		if i := slices.Index(s.Command, "--replSet"); i < 0 || s.Command[i+1] != "rs0" {
			t.Errorf("%s is of no replica set rs0: %v", host, s.Command)
		}
	}
}

// dockerfile is what the tests read of the Dockerfile.
type dockerfile struct {
	env     map[string]string
	command []string // entry point and command, without the program
	port    string
	health  []string
}

// readDockerfile reads the instructions of the last stage, which are one line each.
func readDockerfile(t *testing.T) (d dockerfile) {
	t.Helper()
	d.env = map[string]string{}
	for _, line := range dockerfileLines(t) {
		instruction, rest, _ := strings.Cut(line, " ")
		switch instruction {
		case "FROM":
			d.env = map[string]string{}
		case "ENV":
			for pair := range strings.FieldsSeq(rest) {
				name, value, _ := strings.Cut(pair, "=")
				d.env[name] = value
			}
		case "EXPOSE":
			d.port = rest
		case "CMD":
			readArray(t, rest, &d.command)
		case "HEALTHCHECK":
			readArray(t, rest[strings.Index(rest, "["):], &d.health)
		}
	}
	return d
}

func dockerfileLines(t *testing.T) (lines []string) {
	t.Helper()
	file, err := os.Open("deploy/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for s := bufio.NewScanner(file); s.Scan(); {
		if line := s.Text(); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

func readArray(t *testing.T, text string, words *[]string) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), words); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// TestDockerfile looks that what is copied is there, that the image's health is asked where a server tells it, and that
// nothing of the sources is left out of what is built.
func TestDockerfile(t *testing.T) {
	root := os.DirFS("../..")
	built := false
	for _, line := range dockerfileLines(t) {
		words := strings.Fields(line)
		built = built || strings.HasSuffix(line, " ./cmd/heatlog")
		if words[0] != "COPY" || strings.HasPrefix(words[1], "--from=") {
			continue
		}
		for _, from := range words[1 : len(words)-1] {
			if _, err := fs.Stat(root, from); err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}
	}
	if !built {
		t.Error("the Dockerfile does not build ./cmd/heatlog")
	}

	p := startServer(t, t.TempDir())
	health := readDockerfile(t).health
	at := health[len(health)-1]
	path, ok := strings.CutPrefix(at, "http://127.0.0.1:8080")
	if !ok {
		t.Fatalf("the health check asks %s", at)
	}
	response, err := http.Get(p.Base + path)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("%s answers %s", path, response.Status)
	}

	ignored, err := os.ReadFile("deploy/Dockerfile.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.FieldsSeq(regexp.MustCompile(`(?m)^#.*`).ReplaceAllString(string(ignored), "")) {
		out, err := exec.Command("git", "-C", "../..", "ls-files", "--", ":(glob)"+name, ":(glob)"+name+"/**").CombinedOutput()
		if err != nil {
			t.Logf("no git here: %v", err)
			break
		}
		if len(out) > 0 {
			t.Errorf("%s leaves out what is in git, so the version would be called modified: %s", name, out)
		}
	}
}

// TestShellScripts runs the scripts for MongoDB's shell on a made replica set and a made cluster.
func TestShellScripts(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed: run make deps")
	}
	const fakes = "testdata/deploy/fakes.cjs"
	f := func(name, script, state, want string) {
		t.Helper()
		for _, file := range []string{fakes, "deploy/" + script} { // so that go test sees what the result comes from
			if _, err := os.Stat(file); err != nil {
				t.Fatal(err)
			}
		}
		out, err := exec.Command(node, fakes, "deploy/"+script, state).CombinedOutput()
		got := strings.TrimSpace(string(out))
		if err != nil && !strings.Contains(got, want) || err == nil && got != want {
			t.Errorf("%s: got %s, %v; want\n%s", name, got, err, want)
		}
	}
	hosts := "initiate rs0 mongo1:27017 mongo2:27017 mongo3:27017"
	f("a new set", "initiate.js", `{"polls": 2}`, hosts+"\nsleep\nsleep")
	f("a set that there is", "initiate.js", `{"polls": -1}`, "")
	f("no primary", "initiate.js", `{"polls": 1000}`, "no primary after 120 s")

	f("collections", "shard.js", `{}`, `shard heatlog.docs {"_id":1}`+"\n"+`shard heatlog.records {"_id":1}`)
	f("splits", "shard.js", `{"copy": ["g1", "g2"], "chunks": [["MinKey", "g1 m", "a"], ["g1 m", "g1 s", "b"], ["g1 s", "MaxKey", "c"]]}`,
		"[MinKey, g1 m) a\n[g1 m, g1 s) b\n[g1 s, g2 ) c\n[g2 , g2 m) a\n[g2 m, g2 s) b\n[g2 s, g2!) c\n[g2!, MaxKey) c")
	f("splits between generations", "shard.js", `{"copy": ["g2", "g3"], "chunks": [["MinKey", "g1 m", "a"], ["g1 m", "g2 ", "b"], ["g2 ", "g2 k", "c"], ["g2 k", "g2!", "d"], ["g2!", "MaxKey", "a"]]}`,
		"[MinKey, g1 m) a\n[g1 m, g2 ) b\n[g2 , g2 k) c\n[g2 k, g2!) d\n[g2!, g3 ) a\n[g3 , g3 k) c\n[g3 k, g3!) d\n[g3!, MaxKey) a")
	f("splits that are there", "shard.js", `{"copy": ["g1", "g2"], "chunks": [["MinKey", "g1 m", "a"], ["g1 m", "g2 ", "b"], ["g2 ", "g2 m", "a"], ["g2 m", "g2!", "b"], ["g2!", "MaxKey", "a"]]}`,
		"[MinKey, g1 m) a\n[g1 m, g2 ) b\n[g2 , g2 m) a\n[g2 m, g2!) b\n[g2!, MaxKey) a")
	f("no such generation", "shard.js", `{"copy": ["g 1", "g2"], "chunks": [["MinKey", "MaxKey", "a"]]}`, "not the id of a generation: g 1")
	f("not sharded", "shard.js", `{"copy": ["g1", "g2"]}`, "heatlog.docs is not sharded")
}
