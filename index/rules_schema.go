package index

import _ "embed"

//go:embed rules-schema.json
var rulesSchema string

//go:embed rules-sample.yaml
var rulesSample string

// RulesSchema gives the JSON Schema (2020-12) of a rules file. What it cannot say, ParseRules does: whether an expression,
// a pattern or a zone is one.
func RulesSchema() string { return rulesSchema }

// RulesSample gives a rules file that has every key, with what it means.
func RulesSample() string { return rulesSample }
