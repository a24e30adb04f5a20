package index

import (
	"fmt"
	"strings"
	"testing"
)

// TestBadRules holds that what makes no rules is refused, with its place and the reason.
func TestBadRules(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if _, err := ParseRules([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.200q\n got %v\nwant %s", text, err, want)
		}
	}
	// Keys and types.
	f("rages: {}", `rules 1:1: unknown key "rages", want one of algorithms, bots, cell, dead, `)
	f("rage: {click: 3}", `rules 1:8: rage: unknown key "click", want one of clicks, radius, window`)
	f("urls:\n  rewrites:\n    - {match: a, replace: b, with: c}", `rules 3:30: urls.rewrites: unknown key "with", want one of match, replace`)
	f("urls: {case: lower, case: keep}", `rules 1:21: mapping key "case" already defined at [1:8]`)
	f("urls: {case: upper}", `rules 1:14: urls.case: "upper" is not known, want keep or lower`)
	f("urls: {trailing_slash: yes}", `rules 1:24: urls.trailing_slash: "yes" is not known, want keep or remove`)
	f("urls: {trailing_slash: true}", `rules 1:24: urls.trailing_slash: a truth value is not a text, quote it if it is meant as one`)
	f("rage: {clicks: '3'}", `rules 1:16: rage.clicks: a text is not a whole number`)
	f("rage: {clicks: 3.5}", `rules 1:16: rage.clicks: a number is not a whole number`)
	f("rage: {clicks: 1}", `rules 1:16: rage.clicks: number is 1, want 2 to 8`)
	f("rage: {clicks: 9}", `rules 1:16: rage.clicks: number is 9, want 2 to 8`)
	f("rage: {radius: -1}", `rules 1:16: rage.radius: number is -1, want 0 to 1000`)
	f("rage: {window: 0}", `rules 1:16: rage.window: number is 0, want 1 to 60000`)
	f("rage: {window: 18446744073709551616}", `rules 1:16: `)
	f("rage: 3", `rules 1:7: rage: a number is not a mapping`)
	f("dead: {from: browser}", `rules 1:14: dead.from: "browser" is not known, want tracker or log`)
	f("dead: {window: 60001}", `rules 1:16: dead.window: number is 60001, want 1 to 60000`)
	f("repeat_clicks: {window: 60001}", `rules 1:25: repeat_clicks.window: number is 60001, want 0 to 60000`)
	f("cell: 12", `rules 1:7: cell: cell is 12, want 8, 16, 32 or 64`)
	f("cell: 128", `rules 1:7: cell: number is 128, want 8 to 64`)
	f("cell: [8]", `rules 1:7: cell: a list is not a whole number`)
	f("internal_tags: [a, '']", `rules 1:20: internal_tags: text has 0 bytes, want 1 to 64`)
	f("internal_tags: [a, "+strings.Repeat("b", 65)+"]", `rules 1:20: internal_tags: text has 65 bytes, want 1 to 64`)
	f("internal_tags: internal", `rules 1:16: internal_tags: a text is not a list`)
	f("sites: {shop: {timezone: ''}}", `rules 1:26: sites.shop.timezone: time zone "" is not known`)
	f("sites: {shop: {timezone: ../../etc/passwd}}", `rules 1:26: sites.shop.timezone: time zone "../../etc/passwd" is not known`)
	f("sites:\n  shop: {timezone: UTC}\n  shop: {}", `rules 3:3: mapping key "shop" already defined at [2:3]`)

	// Expressions.
	f("include: [bots]", `rules 1:11: include: expression "bots": 1:1: unknown name bots; known are bot, device, `)
	f("include:\n  - site == 'shop'\n  - url + page", `rules 3:5: include: expression "url + page": 1:1: expected bool, but got string`)
	f("exclude: ['x == \"a\"']", `rules 1:11: exclude: expression "x == \"a\"": 1:3: invalid operation: == (mismatched types int and string)`)
	f("exclude: [x ==]", `rules 1:11: exclude: expression "x ==": 1:4: unexpected token EOF`)
	f("exclude: [true and (x]", `rules 1:11: exclude: expression "true and (x": 1:11: unexpected token EOF`)
	f("exclude: ['']", `rules 1:11: exclude: expression "": 1:1: expression is empty`)
	f(`exclude: ['visitor = "v1"']`, `rules 1:11: exclude: expression "visitor = \"v1\"": 1:9: unexpected token Operator("="); write == to compare`)
	f("exclude: [now() > time]", `rules 1:11: exclude: expression "now() > time": 1:1: unknown name now`)
	f(`exclude: ['ua matches "(((a{10}){10}){10})b{99}"']`, `rules 1:11: exclude: expression "ua matches \"(((a{10}){10}){10})b{99}\"": 1:4: regular expression has `)
	f(`exclude: ['ua matches "(a{1001})"']`, `rules 1:11: exclude: expression "ua matches \"(a{1001})\"": 1:4: error parsing regexp: invalid repeat count`)
	f(`exclude: ['ua matches "a{400}" or url matches "b{400}"']`, `rules 1:11: exclude: expression "ua matches \"a{400}\" or url matches \"b{400}\"": 1:28: regular expressions have 2400 parts together, limit 2000`)
	f("exclude:\n"+strings.Repeat("- ua matches 'a{600}'\n", 12), `rules 13:3: exclude: expression "ua matches 'a{600}'": regular expressions have 21600 parts up to here, limit 20000`)
	f("exclude: ['"+strings.Repeat("(", 4097)+"']", `rules 1:11: exclude: expression "`)
	f("exclude: ['"+strings.Repeat("(", 4096)+"']", `rules 1:11: exclude: expression "`)
	f("exclude: ['"+strings.Repeat("bot or ", 500)+"bot']", `rules 1:11: exclude: expression "`)

	// Rewrites.
	f("urls: {rewrites: [{match: a}]}", `rules 1:19: urls.rewrites: a rewrite needs match and replace`)
	f("urls: {rewrites: [{match: '', replace: a}]}", `rules 1:19: urls.rewrites: a rewrite needs match and replace`)
	f("urls: {rewrites: [{match: '(', replace: a}]}", "rules 1:27: urls.rewrites: error parsing regexp: missing closing ): `(`")
	f("urls: {rewrites: [{match: '(?=a)', replace: a}]}", "rules 1:27: urls.rewrites: error parsing regexp: invalid or unsupported Perl syntax: `(?=`")
	f("urls: {rewrites: [{match: '((a{30}){30}){30}', replace: a}]}", "rules 1:27: ")
	f("urls: {rewrites: [{match: '(.*a){999}', replace: b}]}", "rules 1:27: urls.rewrites: regular expression has ")
	f("urls: {rewrites: [{match: a, replace: $1}]}", `rules 1:39: urls.rewrites: replace names the group 1, which match does not have`)
	f("urls: {rewrites: [{match: (a), replace: $1x}]}", `rules 1:41: urls.rewrites: replace names the group 1x, which match does not have; ${1}0 is`)
	f("urls: {rewrites: [{match: '(?P<id>a)', replace: '${ids}'}]}", `rules 1:49: urls.rewrites: replace names the group ids, which match does not have`)
	f("urls: {rewrites: [{match: a, replace: 'b$'}]}", `rules 1:39: urls.rewrites: replace has a $ that no group follows, write $$ for the sign itself`)
	f("urls: {rewrites: [{match: a, replace: '${1'}]}", `rules 1:39: urls.rewrites: replace has a $ that no group follows`)
	f("urls: {rewrites: [{match: a, replace: "+strings.Repeat("b", 257)+"}]}", `rules 1:39: urls.rewrites: replace has 257 bytes, limit 256`)
	f("urls: {rewrites: [{match: "+strings.Repeat("b", 1025)+", replace: a}]}", `rules 1:27: urls.rewrites: regular expression has 1025 bytes, limit 1024`)

	// Groups.
	group := func(match, page string) string {
		return fmt.Sprintf("urls: {groups: [{match: %q, page: %q}]}", match, page)
	}
	for _, match := range []string{
		"**", "*", "*://**", "http*://**", "https://**", "https://*/**", "https://*.*/**", "https://*:8080/**", "https://{host}/**", "https://{a}.{b}.*/x",
		"https://*shop*/**", "**/product/*", "https:**", "https://", "https:///a", "https://?**", "https://**.example/a", "h*://shop.example/", "shop.example/**", "*{a}://h/",
	} {
		if _, err := ParseRules([]byte(group(match, "https://h/x"))); err == nil || !strings.Contains(err.Error(), "rules 1:25: urls.groups: match ") {
			t.Errorf("group %s: %v", match, err)
		}
	}
	const host = `rules 1:25: urls.groups: match must begin with http:// or https:// and name a host with at least one label without a star, such as *.shop.example: else it could take every URL of every site`
	f(group("https://**", "https://h/x"), host)
	f(group("https://**.example/a", "https://h/x"), host+"; ** in a host is more than the host")
	f(group("https://h/{lang}/*", "https://h/{land}/:id"), `rules 1:53: urls.groups: page has the capture {land}, which match does not have`)
	f(group("https://h/*", "https://h/{lang}/:id"), `rules 1:46: urls.groups: page has the capture {lang}, which match does not have`)
	f(group("https://h/{a}/{a}", "https://h/x"), `rules 1:25: urls.groups: match has {a} twice`)
	f(group("https://h/{a}{b}", "https://h/x"), `rules 1:25: urls.groups: match has {a} directly beside a star or another capture`)
	f(group("https://h/*{b}", "https://h/x"), `rules 1:25: urls.groups: match has {b} directly beside a star or another capture`)
	f(group("https://h/{A}", "https://h/x"), `rules 1:25: urls.groups: match has "{A}", want {name} with a name of a-z, 0-9 and _`)
	f(group("https://h/{a", "https://h/x"), `rules 1:25: urls.groups: match has "{a", want {name}`)
	f(group("https://h/a}", "https://h/x"), `rules 1:25: urls.groups: match has "}", want {name}`)
	f(group("https://h/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}", "https://h/x"), `rules 1:25: urls.groups: match has 9 captures, limit 8`)
	f(group("https://h/{a}/"+strings.Repeat("b", 1024), "https://h/x"), `rules 1:25: urls.groups: match with captures has 1038 bytes, limit 1024`)
	f(group("https://h/{a}", "https://h/{a"), `rules 1:48: urls.groups: page has "{a", want {name}`)
	f(group("https://h/{a}", "https://h/a}"), `rules 1:48: urls.groups: page has "}", want {name}`)
	f(group("https://h/{a}", "https://h/*"), `rules 1:48: urls.groups: page "https://h/*" has a star`)
	f(group("https://h/{a}", ""), `rules 1:48: urls.groups: page: url "" is not an absolute http or https URL`)
	f(group("https://h/"+strings.Repeat("a", 8200), "https://h/x"), `rules 1:25: urls.groups: pattern has 8210 bytes, limit 8192`)
	f("urls:\n  groups:\n  - {match: 'https://h/p/{a}', page: 'https://h/q/{a}'}\n  - {match: 'https://h/q/*', page: 'https://h/r'}",
		`rules 3:38: urls.groups: page "https://h/q/en" is itself counted as "https://h/r": put a group that matches it and names it as its page before`)
	f("urls:\n  rewrites: [{match: /old, replace: /new}]\n  groups: [{match: 'https://h/*', page: 'https://h/old'}]",
		`rules 3:41: urls.groups: page "https://h/old" is itself counted as "https://h/old"`)

	// Size and depth.
	f(strings.Repeat("a", MaxRules+1), `rules have 262145 bytes, limit 262144`)
	f(strings.Repeat("[", 17), `rules 1:17: rules have over 10000 keys, or lists and mappings over 16 deep`)
	f(strings.Repeat("- ", 17), `rules 1:33: rules have over 10000 keys, or lists and mappings over 16 deep`)
	f("\xff", `rules are not UTF-8`)
	f("exclude: [!!binary aGk=]", `rules 1:11: exclude: an anchor, alias or tag is not a text`)
	f("a: &a [*a]", `rules 1:1: unknown key "a"`)
	f("urls: {<<: {case: lower}}", `rules 1:8: `)
}

// TestLargestRules judges a URL by rules as many as may be.
func TestLargestRules(t *testing.T) {
	var text strings.Builder
	text.WriteString("urls:\n  rewrites:\n")
	for range maxRewrites - 1 {
		text.WriteString("  - {match: '(a|aa)*b', replace: a}\n")
	}
	text.WriteString("  - {match: '(a|aa)*c', replace: c}\n  groups:\n")
	for i := range maxRuleGroups - 1 {
		fmt.Fprintf(&text, "  - {match: 'https://h%d/{a}/*a*a*a*a*b', page: 'https://h%d/{a}'}\n", i%9, i%9)
	}
	text.WriteString("  - {match: 'https://h8/{a}/*a*c', page: 'https://h8/c/{a}'}\n")
	r := mustParseRules(t, text.String())
	f := func(url, want string) {
		t.Helper()
		if page, err := r.Page(url); err != nil || page != want {
			t.Errorf("page of %.40s is %.40s, error %v, want %.40s", url, page, err, want)
		}
	}
	long := strings.Repeat("a", 500)
	f("https://h8/"+long, "https://h8/"+long)
	f("https://h8/"+long+"c", "https://h8/c")
	f("https://h8/d/"+long+"x", "https://h8/d/"+long+"x")
	f("https://h8/d/ac"+long+"yc", "https://h8/c/d")
	for _, more := range []string{
		"urls:\n  rewrites:\n" + strings.Repeat("  - {match: a, replace: a}\n", maxRewrites+1),
		"urls:\n  groups:\n" + strings.Repeat("  - {match: 'https://h/a', page: 'https://h/a'}\n", maxRuleGroups+1),
	} {
		if _, err := ParseRules([]byte(more)); err == nil || !strings.Contains(err.Error(), "limit") {
			t.Errorf("more rules than may be: %v", err)
		}
	}
}
