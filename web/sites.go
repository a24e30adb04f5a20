package web

import (
	"errors"
	"fmt"

	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

// maxSiteBody is the longest body of POST /v1/sites, bytes.
const maxSiteBody = 64 << 10

func (s *Server) listSites(ctx *fasthttp.RequestCtx) error {
	if p := parseParams(ctx.URI().QueryString()); p.err != nil {
		return p.err
	}
	s.writeAnswer(ctx, func(o *object) {
		o.key("sites")
		o.dst = append(o.dst, '[')
		for i, site := range s.o.Sites.List() {
			if i > 0 {
				o.dst = append(o.dst, ',')
			}
			o.open()
			siteMembers(o, site)
			s.countedMember(o, site)
			s.refusedMember(o, site.Key)
			o.close()
		}
		o.dst = append(o.dst, ']')
	})
	return nil
}

func siteMembers(o *object, site heatmap.Site) {
	o.text("key", site.Key)
	o.texts("origins", site.Origins)
	o.text("timezone", site.Timezone)
}

// countedMember names the zone in which the active generation counts the site's days, where its rules name another one.
func (s *Server) countedMember(o *object, site heatmap.Site) {
	if s.o.CountedZone == nil {
		return
	}
	if zone := s.o.CountedZone(site.Key); zone != nil && zone.String() != site.Timezone {
		o.text("counted_timezone", zone.String())
	}
}

// refusedMember names the origins that the site's owner may have forgotten, where there are any.
func (s *Server) refusedMember(o *object, site string) {
	if s.o.RefusedOrigins == nil {
		return
	}
	if refused := s.o.RefusedOrigins(site); len(refused) > 0 {
		o.texts("refused_origins", refused)
	}
}

// putSite registers a site, or changes what a registered one may change.
func (s *Server) putSite(ctx *fasthttp.RequestCtx) error {
	if p := parseParams(ctx.URI().QueryString()); p.err != nil {
		return p.err
	}
	body, err := readBody(ctx, maxSiteBody)
	if err != nil {
		return err
	}
	site, err := parseSite(body)
	if err != nil {
		return err
	}
	_, known := s.o.Sites.Lookup(site.Key)
	if err := s.o.Sites.Put(site); err != nil {
		return siteError(err)
	}
	if stored, ok := s.o.Sites.Lookup(site.Key); ok {
		site = stored
	}
	s.writeAnswer(ctx, func(o *object) { siteMembers(o, site) })
	if !known {
		ctx.SetStatusCode(fasthttp.StatusCreated)
	}
	return nil
}

func parseSite(body []byte) (heatmap.Site, error) {
	var site heatmap.Site
	err := decodeJSON(body, `a site ({"key":"shop","origins":["https://shop.example"],"timezone":"Europe/Prague"})`, &site)
	return site, err
}

// siteError makes of an error of Sites.Put what its client is told.
func siteError(err error) error {
	var coded interface{ Code() string }
	if !errors.As(err, &coded) {
		return fmt.Errorf("put site: %w", err)
	}
	e := &apiError{status: fasthttp.StatusBadRequest, code: coded.Code(), message: err.Error()}
	if e.code == "conflict" {
		e.status = fasthttp.StatusConflict
	}
	var fielded interface{ Field() string }
	if errors.As(err, &fielded) {
		e.field = fielded.Field()
	}
	return e
}

func (s *Server) bots(ctx *fasthttp.RequestCtx) error {
	if p := parseParams(ctx.URI().QueryString()); p.err != nil {
		return p.err
	}
	s.writeAnswer(ctx, func(o *object) {
		o.texts("bots", s.o.Bots())
	})
	return nil
}
