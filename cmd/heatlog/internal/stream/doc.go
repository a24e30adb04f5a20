// Package stream makes the traffic that heatlog is measured with: an endless stream of a tracker's batches, in the order
// in which a server would take them. Equal [Options] give equal batches on every machine: all of it is whole-number
// arithmetic on a seeded generator. [New] makes a [Stream], [Stream.Next] gives one batch after the other,
// [AppendBatchJSON] and [AppendLines] write them as requests.
//
// # What it is made of
//
//	sites     Sites of them; page i belongs to site i mod Sites. Every third site has an A/B variant as a tag.
//	pages     Pages of them; page i is asked for with a weight of (i+1)^-1.1 (zipf), so that page 0 of 2,000 has about 17 %
//	          of all views. One session in ten comes with a utm parameter in the first URL.
//	time      sessions begin by the hour of the (UTC) day, from 0.25 times the mean at night to 1.7 in the evening
//	visitors  about one in four of the day's sessions is by somebody who was there that day. A visitor's device, viewport,
//	          user agent and variant stay the same.
//	devices   55 % mobile, 4 % tablets, 41 % desktop, with the viewports that are common there; one desktop in seven has a
//	          window of any size. Phones and tablets touch, desktops have a mouse. 3 % are bots by their user agent.
//	sessions  1 to 8 views, 3 in the mean, of pages of one site, with 2 to 60 s of reading between
//	views     HitsPerView hits in the mean: one view, one scroll from 0 to the viewport's height, and the rest by Mix
//	clicks    80 % on one of 40 hot spots of the page, an element with selector, box, check hash and a place inside it that
//	          is drawn towards its middle; the first three spots are in a fixed header. 20 % anywhere. One click in 50 is
//	          dead, one in 200 made by a script. One view in 100 has a burst of 4 to 6 clicks within a second and 8 px.
//	scrolls   go down by 0.3 to 1.2 viewports, one in four goes back up; dwell is log-normal, median 2.5 s, sigma 1
//	moves     anywhere in what is visible
//	batches   what one view did in 1 to 5 s, 20 hits at most. One in 200 arrives up to a minute late.
//
// Sites and pages are laid out by width: a phone's page is nearly twice as long as a desktop's, and elements keep their
// share of the column.
package stream
