package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"

	"heatlog/index"
)

// rulesCmd helps to write a rules file.
type rulesCmd struct {
	Check  rulesCheckCmd  `cmd:"" help:"Check a rules file: errors come with line and column."`
	Schema rulesSchemaCmd `cmd:"" help:"Print the JSON Schema of a rules file."`
	Sample rulesSampleCmd `cmd:"" help:"Print a rules file that has every key, with comments."`
}

// rulesCheckCmd checks a file.
type rulesCheckCmd struct {
	File string `arg:"" help:"The rules file, - for standard input."`
	Spec bool   `help:"Print the rules with all defaults and algorithms, as they are recorded with what is counted by them."`
}

// Run says what is wrong, if anything is.
func (c *rulesCheckCmd) Run(s *streams) error {
	rules, err := c.read(s)
	if err != nil {
		return err
	}
	if c.Spec {
		_, err = s.out.Write(rules.Spec())
	} else {
		_, err = fmt.Fprintf(s.out, "%s: the rules are right\n", c.File)
	}
	return err
}

func (c *rulesCheckCmd) read(s *streams) (*index.Rules, error) {
	if c.File != "-" {
		_, rules, err := readRules(c.File)
		return rules, err
	}
	text, err := io.ReadAll(io.LimitReader(s.in, index.MaxRules+1))
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	return parseRules(c.File, text)
}

// parseRules parses the text of a rules file.
func parseRules(name string, text []byte) (*index.Rules, error) {
	rules, err := index.ParseRules(text)
	if err != nil {
		return nil, errors.New(inFile(name, err.Error()))
	}
	return rules, nil
}

// rulesPlace is how the message about a mistake in rules begins.
var rulesPlace = regexp.MustCompile(`^rules (\d+:\d+: )`)

// inFile names the file of a message about rules, as FILE:LINE:COLUMN where the message has a place.
func inFile(name, message string) string {
	if at := rulesPlace.FindStringSubmatch(message); at != nil {
		return name + ":" + at[1] + message[len(at[0]):]
	}
	return name + ": " + message
}

// rulesSchemaCmd prints the schema.
type rulesSchemaCmd struct{}

// Run prints it.
func (*rulesSchemaCmd) Run(s *streams) error {
	_, err := io.WriteString(s.out, index.RulesSchema())
	return err
}

// rulesSampleCmd prints the sample.
type rulesSampleCmd struct{}

// Run prints it.
func (*rulesSampleCmd) Run(s *streams) error {
	_, err := io.WriteString(s.out, index.RulesSample())
	return err
}
