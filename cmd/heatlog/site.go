package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"heatlog/heatmap"
)

// siteCmd adds and lists sites.
type siteCmd struct {
	Add  siteAddCmd  `cmd:"" help:"Add a site, or change the origins of one."`
	List siteListCmd `cmd:"" help:"List the sites."`
}

// siteAddCmd adds one site.
type siteAddCmd struct {
	Key      string   `arg:"" help:"1 to 32 of a-z, 0-9 and '-'."`
	Origin   []string `help:"Origin whose pages may send hits, as https://shop.example; repeatable." required:"" placeholder:"URL"`
	Timezone string   `help:"IANA zone of the site's days; fixed after the first hit." default:"UTC"`
	serverFlags
}

// Run registers the site with the running server, or in the data folder where no server runs.
func (c *siteAddCmd) Run(s *streams) error {
	site := heatmap.Site{Key: c.Key, Origins: c.Origin, Timezone: c.Timezone}
	if err := checkSite(site); err != nil {
		return &misuse{err}
	}
	cl, err := c.client()
	if err != nil {
		return err
	}
	body, err := json.Marshal(site)
	if err != nil {
		return fmt.Errorf("encode site: %w", err)
	}
	resp, err := cl.do(context.Background(), http.MethodPost, "/v1/sites", nil,
		http.Header{"Content-Type": {"application/json"}}, bytes.NewReader(body))
	where := "server " + cl.base.String()
	if errors.Is(err, errUnreachable) {
		err, where = c.putOffline(site), "data folder "+string(c.Data)
	} else if err == nil {
		resp.Body.Close()
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "site %s: %s, %s (%s)\n", site.Key, strings.Join(site.Origins, " "), site.Timezone, where)
	return err
}

// checkSite finds what the command line alone can tell to be wrong.
func checkSite(site heatmap.Site) error {
	if !heatmap.ValidSiteKey(site.Key) {
		return fmt.Errorf("site key %q is not 1 to 32 of a-z, 0-9 and '-'", site.Key)
	}
	if _, err := time.LoadLocation(site.Timezone); err != nil {
		return fmt.Errorf("time zone %q is unknown", site.Timezone)
	}
	return nil
}

// siteListCmd lists the sites.
type siteListCmd struct {
	JSON bool `help:"Print the server's answer as JSON." name:"json"`
	serverFlags
}

// Run prints one line a site.
func (c *siteListCmd) Run(s *streams) error {
	sites, raw, err := c.list()
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(s.out, raw)
	}
	return printSites(s.out, sites)
}

// printSites writes a table of sites.
func printSites(w io.Writer, sites []heatmap.Site) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "KEY\tZONE\tORIGINS")
	for _, site := range sites {
		zone := site.Timezone
		if zone == "" {
			zone = "UTC"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", site.Key, zone, strings.Join(site.Origins, " "))
	}
	return t.Flush()
}
