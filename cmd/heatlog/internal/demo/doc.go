// Package demo makes the visitors of the demo shop: who comes, from which device, what they read and where they click.
// [Lines] gives their hits as lines of POST /v1/import. Equal [Options] give equal lines; all of it is whole-number
// arithmetic on a seeded generator.
//
// # What it is made of
//
//	time      visits begin within the last Days days, by the hour of the day in the zone of Now; hits after Now are left
//	          out, so the last visitors are still there
//	visitors  each comes once, under an id that no other seed gives
//	devices   55 % phones, 5 % tablets, 40 % desktops, each with the viewports and user agents that belong together
//	visits    begin on the landing page (70 %), the list or a product; four in ten end there, the others follow a link
//	          that they see, at most 8 views, two in the mean
//	scrolls   one in five never scrolls; the others go down by 0.4 to 1 viewports, now and then back up, until they have
//	          seen enough or found a link; the dwell of each stop is log-normal with a median of 2.6 s
//	clicks    1.7 a view in the mean, on the elements that are visible, by weight; seldom in the header once it sticks.
//	          Offsets are bell-shaped around the middle of the label. One in 16 misses its button by a few px. Pictures
//	          that look like links get clicks that change nothing; one view in 40 has a burst of 3 to 6 clicks within a
//	          second.
//
// # Where the elements are
//
// boxes.json says for each page and viewport width how large the document is and where its elements are, as a browser
// measured it: TestDemoBoxes of cmd/heatlog compares it with the pages and writes it anew with -rewrite. The members
// are named by [Shop] and what it is made of.
package demo
