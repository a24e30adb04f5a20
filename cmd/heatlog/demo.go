package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"heatlog/cmd/heatlog/internal/demo"
	"heatlog/heatmap"
)

// demoCmd sends made visitors to the demo pages.
type demoCmd struct {
	Site     string    `help:"Site that the pages belong to." default:"demo" placeholder:"KEY"`
	Visitors int       `help:"How many come, 1 to 100000." default:"300" placeholder:"N"`
	Days     int       `help:"Over how many days up to now they come, 1 to 365." default:"7" placeholder:"N"`
	Seed     *uint64   `help:"Makes the same visitors again; sent twice they count twice. Without it others come each time." placeholder:"N"`
	Origin   publicURL `help:"Where visitors reach the server; without it, where it says that browsers do." placeholder:"URL"`
	serverFlags
}

// Run sends the visitors and says where to look at what they did.
func (c *demoCmd) Run(s *streams) error {
	if err := c.check(); err != nil {
		return &misuse{err}
	}
	cl, err := c.client()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	options, err := c.options(ctx, cl)
	if err != nil {
		return err
	}
	start := time.Now()
	hits, err := cl.importLines(ctx, demo.Lines(options))
	if err != nil {
		return fmt.Errorf("send visitors to %s: %w", c.Site, err)
	}
	_, err = fmt.Fprintf(s.out, "%d visitors made %d hits on site %s in the last %d days (seed %d), sent in %.1f s\n",
		options.Visitors, hits, options.Site, options.Days, options.Seed, time.Since(start).Seconds())
	if err == nil {
		_, err = fmt.Fprintf(s.out, "pages: %[1]s/demo/\nheat:  %[1]s/ (a link that signs in there: heatlog signin)\n", options.Origin)
	}
	return err
}

// check finds what the command line alone can tell to be wrong.
func (c *demoCmd) check() error {
	if c.Visitors < 1 || c.Visitors > 100_000 {
		return fmt.Errorf("--visitors is %d, want 1 to 100000", c.Visitors)
	}
	if c.Days < 1 || c.Days > 365 {
		return fmt.Errorf("--days is %d, want 1 to 365", c.Days)
	}
	return nil
}

// options asks the server for the site, whose zone says when it is night.
func (c *demoCmd) options(ctx context.Context, cl *client) (demo.Options, error) {
	sites, _, err := cl.sites()
	if err != nil {
		return demo.Options{}, err
	}
	i := slices.IndexFunc(sites, func(s heatmap.Site) bool { return s.Key == c.Site })
	if i < 0 {
		return demo.Options{}, withHint(fmt.Errorf("site %q is unknown", c.Site), "heatlog site list")
	}
	zone, err := time.LoadLocation(sites[i].Timezone)
	if err != nil {
		return demo.Options{}, fmt.Errorf("load zone of site %s: %w", c.Site, err)
	}
	o := demo.Options{
		Origin: string(c.Origin), Site: c.Site, Visitors: c.Visitors, Days: c.Days, Seed: rand.Uint64(), Now: time.Now().In(zone),
	}
	if c.Seed != nil {
		o.Seed = *c.Seed
	}
	if o.Origin == "" {
		o.Origin, err = cl.reached(ctx, sites[i].Origins)
	}
	return o, err
}

// reached is where browsers reach the server's own pages: where it says that they do, else where this client does, else
// the first of the origins. The first two must be among the origins, as no overlay opens on pages elsewhere.
func (c *client) reached(ctx context.Context, origins []string) (string, error) {
	public, err := c.publicURL(ctx)
	if err != nil {
		return "", err
	}
	for _, address := range []string{public, c.base.String()} {
		var p publicURL
		if err := p.UnmarshalText([]byte(address)); err == nil && slices.Contains(origins, p.origin()) {
			return string(p), nil
		}
	}
	if len(origins) == 0 {
		return "", withHint(errors.New("the site has no origin"), "--origin names one")
	}
	return origins[0], nil
}

// publicURL is where the server says that browsers reach it, "" if it does not.
func (c *client) publicURL(ctx context.Context) (string, error) {
	raw, err := c.getJSON(ctx, "/v1/session", nil)
	if err != nil {
		return "", err
	}
	var server struct {
		PublicURL string `json:"public_url"`
	}
	if err := json.Unmarshal(raw, &server); err != nil {
		return "", fmt.Errorf("read answer: %w", err)
	}
	return server.PublicURL, nil
}

// importLines sends lines as they are made, and gives how many of them the server took.
func (c *client) importLines(ctx context.Context, lines iter.Seq[[]byte]) (int64, error) {
	body, in := io.Pipe()
	defer body.Close()
	go func() {
		w := bufio.NewWriterSize(in, 64<<10)
		for line := range lines {
			if _, err := w.Write(line); err != nil {
				return // nobody reads any more
			}
		}
		in.CloseWithError(w.Flush())
	}()
	resp, err := c.do(ctx, http.MethodPost, "/v1/import", nil, importHeader(""), body)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var a importAnswer
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		return 0, fmt.Errorf("read answer: %w", err)
	}
	if len(a.Errors) > 0 {
		return a.Accepted, fmt.Errorf("%d of %d lines were rejected, the first: %s", a.Rejected, a.Rejected+a.Accepted, a.Errors[0].Message)
	}
	return a.Accepted, nil
}
