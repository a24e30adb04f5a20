package main

import (
	"context"
	"fmt"

	"heatlog/web"
)

// signinCmd prints a new sign-in link.
type signinCmd struct{ serverFlags }

// Run signs a ticket with the key of the data folder, and asks the server where browsers reach it.
func (c *signinCmd) Run(s *streams) error {
	key, err := c.Data.readKey()
	if err != nil {
		return hintForFolder(c.Data, err)
	}
	if key == nil {
		return withHint(fmt.Errorf("data folder %s has no key to sign a link with", c.Data), "--data DIR names the folder of the server")
	}
	cl, err := c.client()
	if err != nil {
		return err
	}
	base, err := cl.publicURL(context.Background())
	if err != nil {
		return err
	}
	if base == "" {
		base = cl.base.String()
	}
	ticket := web.New(web.Options{Key: key, Token: cl.token}).SignInTicket()
	_, err = fmt.Fprintln(s.out, signInLink(base, ticket))
	return err
}

// signInLink is the link that trades a ticket for a session.
func signInLink(base, ticket string) string { return base + "/signin?t=" + ticket }
