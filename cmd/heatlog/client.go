package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// serverFlags say which server a command talks to.
type serverFlags struct {
	URL   string  `help:"Address of the server." env:"HEATLOG_URL" default:"http://127.0.0.1:8080"`
	Token string  `help:"Admin token; without it the data folder's is used." env:"HEATLOG_TOKEN"`
	Data  dataDir `help:"Data folder of the server, for its token." env:"HEATLOG_DATA" default:"./data"`
}

// client speaks to one server.
type client struct {
	base  *url.URL
	token string
}

// client checks the flags and finds the token.
func (f *serverFlags) client() (*client, error) {
	base, err := url.Parse(withScheme(strings.TrimRight(f.URL, "/")))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, withHint(&misuse{fmt.Errorf("server address %q is not an http(s) URL", f.URL)}, "--url http://127.0.0.1:8080")
	}
	token := f.Token
	if token == "" {
		if token, err = f.Data.readToken(); isForbidden(err) {
			return nil, withHint(err, "give the token with --token or HEATLOG_TOKEN, or be the user who runs the server")
		} else if err != nil {
			return nil, err
		}
	}
	return &client{base: base, token: token}, nil
}

// withScheme makes an http URL of HOST:PORT.
func withScheme(address string) string {
	if _, port, err := net.SplitHostPort(address); err == nil && port != "" && strings.Trim(port, "0123456789") == "" {
		return "http://" + address
	}
	return address
}

// errUnreachable says that nothing answers at the server's address.
var errUnreachable = errors.New("no server answers")

// apiError is an answer of the server that is not a success.
type apiError struct {
	Status  int
	Code    string // as in the answer's error.code, "" if it was not the API that answered
	Message string
	Field   string
	Body    []byte
}

// Error gives the server's own words.
func (e *apiError) Error() string {
	text := e.Message
	if text == "" {
		text = strings.TrimSpace(string(e.Body[:min(len(e.Body), 200)]))
	}
	return fmt.Sprintf("server answered %d: %s", e.Status, withField(e.Field, text))
}

// withField names the parameter that a message is about, if the message does not begin with it.
func withField(field, message string) string {
	if field == "" || strings.HasPrefix(message, field) {
		return message
	}
	return field + ": " + message
}

// do sends a request and gives the answer if it is a success; the caller closes its body. Every other answer is an
// *apiError, with a hint where there is a next step.
func (c *client) do(ctx context.Context, method, path string, query url.Values, header http.Header, body io.Reader) (*http.Response, error) {
	u := *c.base
	u.Path += path
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	maps.Copy(req.Header, header)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, readAPIError(resp)
}

// unreachable turns a network error into one that says what to do.
func (c *client) unreachable(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return withHint(fmt.Errorf("%w at %s: %w", errUnreachable, c.base, rootCause(op)),
			"start it with `heatlog serve`, or give its address with --url")
	}
	return fmt.Errorf("talk to %s: %w", c.base, rootCause(err))
}

// rootCause leaves out the method, URL and address that net/http and net put before their errors.
func rootCause(err error) error {
	if number := syscall.Errno(0); errors.As(err, &number) {
		return number
	}
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}

// readAPIError reads the answer's error and adds the next step.
func readAPIError(resp *http.Response) error {
	e := &apiError{Status: resp.StatusCode}
	e.Body, _ = io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	var answer struct {
		Error struct{ Code, Message, Field string }
	}
	if json.Unmarshal(e.Body, &answer) == nil {
		e.Code, e.Message, e.Field = answer.Error.Code, answer.Error.Message, answer.Error.Field
	}
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return withHint(e, "give the server's token with --token or HEATLOG_TOKEN, or its data folder with --data")
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return withHint(e, "its log says more; try again in a while")
	}
	return e
}

// getJSON asks for path and gives the whole answer.
func (c *client) getJSON(ctx context.Context, path string, query url.Values) ([]byte, error) {
	resp, err := c.do(ctx, http.MethodGet, path, query, nil, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read answer of %s: %w", path, err)
	}
	return b, nil
}
