package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"heatlog/collector"
	"heatlog/heatmap"
)

// register is the register of sites as the API takes it.
type register struct{ *collector.Sites }

// Put registers a site; an error that the caller is to blame for says which member of the request it is about.
func (r register) Put(site heatmap.Site) error {
	err := r.Sites.Put(site)
	if e := (*collector.SiteError)(nil); errors.As(err, &e) {
		return siteRefusal{e}
	}
	return err
}

// siteRefusal tells the API what became of a site.
type siteRefusal struct{ *collector.SiteError }

// Code is "conflict" where the site is what it is since its first hit.
func (e siteRefusal) Code() string {
	if e.SiteError.Code == collector.CodeZoneFixed {
		return "conflict"
	}
	return e.SiteError.Code
}

// Field is the member of the request that is to blame.
func (e siteRefusal) Field() string { return e.SiteError.Field }

// putOffline writes a site into the data folder of a server that does not run.
func (c *siteAddCmd) putOffline(site heatmap.Site) error {
	if err := c.Data.create(); err != nil {
		return err
	}
	unlock, err := c.Data.lock()
	if err != nil {
		return hintForFolder(c.Data, err)
	}
	defer unlock()
	sites, err := c.Data.openSites()
	if err != nil {
		return err
	}
	return hintForFolder(c.Data, sites.Put(site))
}

// list gives the sites of the running server, or of the data folder where no server answers; raw is the answer.
func (c *siteListCmd) list() (sites []heatmap.Site, raw []byte, err error) {
	cl, err := c.client()
	if err != nil {
		return nil, nil, err
	}
	sites, raw, err = cl.sites()
	if errors.Is(err, errUnreachable) {
		return c.listOffline(err)
	}
	return sites, raw, err
}

// sites asks the server for its sites; raw is its answer.
func (c *client) sites() (sites []heatmap.Site, raw []byte, err error) {
	raw, err = c.getJSON(context.Background(), "/v1/sites", nil)
	if err != nil {
		return nil, nil, err
	}
	var answer struct {
		Sites []heatmap.Site `json:"sites"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, nil, fmt.Errorf("read answer: %w", err)
	}
	return answer.Sites, raw, nil
}

// listOffline reads the register in the data folder; unreachable is the error where there is none.
func (c *siteListCmd) listOffline(unreachable error) ([]heatmap.Site, []byte, error) {
	register, err := c.Data.openSites()
	if err != nil {
		return nil, nil, err
	}
	sites := register.List()
	if len(sites) == 0 {
		return nil, nil, unreachable
	}
	raw, err := json.Marshal(map[string]any{"sites": sites})
	return sites, raw, err
}
